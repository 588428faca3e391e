"""What a server elsewhere must forget, and what it takes for damage to be over."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.databases import sqlite_with_tables
from tests.farm_in_memory import FarmInMemory, MemoryPorts, disk

from corral.farm.adapters.sql.transactions import SqlTransactions
from corral.farm.application.delete_version import Deletion
from corral.farm.application.import_image import ImportRequest
from corral.farm.application.progress import Progress
from corral.farm.application.take_server_report import ReportedReplica, ServerReport
from corral.farm.domain.estate.server import Server
from corral.farm.domain.image.errors import RootBeingRemovedError
from corral.farm.domain.image.image import image_name
from corral.farm.domain.image.replica import Replica, ReplicaState
from corral.farm.domain.image.root import RootHash
from corral.farm.domain.image.version import Version, VersionName, VersionState


@pytest.fixture(params=["memory", "sqlite"])
def farm(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[FarmInMemory]:
    if request.param == "memory":
        yield FarmInMemory()
        return
    sql = SqlTransactions(sqlite_with_tables(tmp_path / "farm.db"))
    yield FarmInMemory(MemoryPorts(transactions=sql))
    sql.close()


@pytest.fixture
def first(farm: FarmInMemory) -> Server:
    return farm.add_server("s1")


@pytest.fixture
def second(farm: FarmInMemory) -> Server:
    """A server on another machine: the folder of its store is not here."""
    server = farm.add_server("s2")
    del farm.ports.chunk_stores.stores[server.store.path]
    return server


@pytest.fixture
def version(farm: FarmInMemory, first: Server, second: Server) -> Version:
    """On both servers, and not the only one of its image."""
    assert first.name == "s1"
    version = farm.import_disk("debian", disk(1, 2)).version
    farm.import_disk("debian", disk(3))
    farm.replicate(version, second)
    return version


def delete(farm: FarmInMemory, version: Version) -> Deletion:
    return farm.application.delete_version(version.name)


def state(farm: FarmInMemory, version: Version) -> VersionState:
    return farm.version(str(version.name)).state


def removals(farm: FarmInMemory, server: Server) -> tuple[RootHash, ...]:
    return farm.application.configure_server(server.id).removals


def import_into(farm: FarmInMemory, image: str, content: bytes, server: Server) -> Version:
    path = Path("/disks", image)
    farm.ports.files[path] = content
    request = ImportRequest(image_name(image), path, server=server.name)
    return farm.application.import_image(request, Progress()).version


def replica(farm: FarmInMemory, version: Version, server: Server) -> Replica:
    views = farm.application.show_version(version.name).replicas
    return next(view.replica for view in views if view.server.id == server.id)


def test_version_is_deleted_when_the_server_elsewhere_says_that_it_is_gone(
    farm: FarmInMemory, version: Version, second: Server
) -> None:
    deletion = delete(farm, version)
    assert deletion.version.state is VersionState.DELETING
    assert [server.name for server in deletion.removed_from] == ["s1"]
    assert [one.server.name for one in deletion.waiting_for] == ["s2"]
    told = farm.application.configure_server(second.id)
    assert (told.removals, told.exports, told.replicas) == ((version.root,), (), ())
    farm.report(second)
    assert state(farm, version) is VersionState.DELETING
    farm.report(second, removed=(version,))
    assert state(farm, version) is VersionState.DELETED
    assert removals(farm, second) == ()


def test_a_server_that_was_away_for_a_year_is_told_at_its_return(
    farm: FarmInMemory, version: Version, second: Server
) -> None:
    farm.wait(3600)
    (awaited,) = delete(farm, version).waiting_for
    assert awaited.state == "unknown"
    farm.wait(365 * 86_400)
    assert removals(farm, second) == (version.root,)
    farm.report(second, removed=(version,))
    assert state(farm, version) is VersionState.DELETED


def test_report_said_twice_or_of_what_is_wanted_removes_nothing_more(
    farm: FarmInMemory, version: Version, first: Server, second: Server
) -> None:
    newest = farm.version("debian/2")
    delete(farm, version)
    farm.report(second, removed=(version,))
    farm.report(second, removed=(version,))
    farm.report(first, removed=(newest,))
    assert replica(farm, newest, first).is_complete


def test_deleting_again_tells_who_is_still_awaited(farm: FarmInMemory, version: Version) -> None:
    delete(farm, version)
    again = delete(farm, version)
    assert again.removed_from == ()
    assert [one.server.name for one in again.waiting_for] == ["s2"]


def test_every_server_that_holds_it_is_awaited(
    farm: FarmInMemory, version: Version, second: Server
) -> None:
    third = farm.add_server("s3")
    farm.replicate(version, third)
    assert len(delete(farm, version).waiting_for) == 2
    farm.report(second, removed=(version,))
    assert state(farm, version) is VersionState.DELETING
    farm.report(third, removed=(version,))
    assert state(farm, version) is VersionState.DELETED


def test_content_of_another_published_version_is_removed_nowhere(
    farm: FarmInMemory, version: Version, second: Server
) -> None:
    farm.import_disk("copy", disk(1, 2))
    assert delete(farm, version).version.state is VersionState.DELETED
    assert removals(farm, second) == ()
    assert [str(one.name) for one in farm.application.configure_server(second.id).exports] == [
        "copy/1"
    ]


def test_a_folder_at_the_same_path_here_is_not_taken_for_the_servers_store(
    farm: FarmInMemory, version: Version, second: Server
) -> None:
    farm.ports.chunk_stores.create(second.store.path, farm.application.show_farm().farm.id)
    assert [one.server.name for one in delete(farm, version).waiting_for] == ["s2"]


def test_a_server_that_may_be_fetching_is_awaited_wherever_its_store_is(
    farm: FarmInMemory, first: Server
) -> None:
    version = farm.import_disk("debian", disk(1)).version
    third = farm.add_server("s3")
    farm.application.replicate_version(version.name, [third.name])
    fetching = ReportedReplica(version.root, ReplicaState.FETCHING, 0, 65_536)
    farm.application.take_server_report(third.id, ServerReport(farm.generation, (fetching,)))
    deletion = delete(farm, version)
    assert deletion.removed_from == (first,)
    assert [one.server.name for one in deletion.waiting_for] == ["s3"]


def test_a_server_that_never_began_is_not_awaited(farm: FarmInMemory, first: Server) -> None:
    version = farm.import_disk("debian", disk(1)).version
    third = farm.add_server("s3")
    farm.application.replicate_version(version.name, [third.name])
    assert first in delete(farm, version).removed_from
    assert state(farm, version) is VersionState.DELETED


def test_content_that_is_published_again_is_kept_or_fetched_anew(
    farm: FarmInMemory, version: Version, second: Server
) -> None:
    delete(farm, version)
    before = farm.generation
    farm.import_disk("copy", disk(1, 2))
    assert removals(farm, second) == ()
    # The server carried out the older order, and says so: it is told to fetch, nothing is deleted.
    late = ServerReport(before, removed=(version.root,))
    farm.application.take_server_report(second.id, late)
    (wanted,) = farm.application.configure_server(second.id).replicas
    assert (wanted.root, [peer.server for peer in wanted.peers]) == (version.root, ["s1"])
    assert replica(farm, farm.version("copy/1"), second).state is ReplicaState.WANTED
    assert state(farm, version) is VersionState.DELETED


def test_report_from_before_a_second_delete_does_not_end_it(
    farm: FarmInMemory, version: Version, second: Server
) -> None:
    delete(farm, version)
    before = farm.generation
    copy = farm.import_disk("copy", disk(1, 2)).version
    farm.report(second, holds=(copy,))
    delete(farm, copy)
    late = ServerReport(before, removed=(version.root,))
    farm.application.take_server_report(second.id, late)
    assert state(farm, copy) is VersionState.DELETING
    farm.report(second, removed=(copy,))
    assert state(farm, copy) is VersionState.DELETED


def test_nothing_is_published_into_a_store_that_is_still_to_lose_it(
    farm: FarmInMemory, version: Version, second: Server
) -> None:
    delete(farm, version)
    farm.ports.chunk_stores.create(second.store.path, farm.application.show_farm().farm.id)
    with pytest.raises(RootBeingRemovedError, match="s2"):
        import_into(farm, "copy", disk(1, 2), second)
    assert removals(farm, second) == (version.root,)
    farm.report(second, removed=(version,))
    assert str(import_into(farm, "copy", disk(1, 2), second).name) == "copy/1"


def damage(farm: FarmInMemory, server: Server) -> int:
    """Let a verification find damage; give its doubt."""
    store = farm.store_of(server.name)
    store.chunks[min(store.chunks)] = b"rot"
    farm.application.verify_store(server.name, Progress())
    (told,) = farm.application.configure_server(server.id).replicas
    return told.doubt


def says_complete(farm: FarmInMemory, server: Server, version: Version, healed: int) -> Replica:
    report = ReportedReplica(version.root, ReplicaState.COMPLETE, 1, 1, healed_doubt=healed)
    farm.application.take_server_report(server.id, ServerReport(farm.generation, (report,)))
    return replica(farm, version, server)


def test_damage_stands_until_the_server_has_healed_it(farm: FarmInMemory, first: Server) -> None:
    version = farm.import_disk("debian", disk(1)).version
    doubt = damage(farm, first)
    before = says_complete(farm, first, version, healed=0)
    assert (before.state, before.doubt) == (ReplicaState.DAMAGED, doubt)
    assert before.problem == "chunks are damaged or missing"
    after = says_complete(farm, first, version, healed=doubt)
    assert (after.state, after.doubt, after.problem) == (ReplicaState.COMPLETE, 0, "")


def test_healing_of_earlier_damage_does_not_settle_later_damage(
    farm: FarmInMemory, first: Server
) -> None:
    version = farm.import_disk("debian", disk(1)).version
    earlier, later = damage(farm, first), damage(farm, first)
    assert later > earlier
    assert says_complete(farm, first, version, healed=earlier).state is ReplicaState.DAMAGED


def test_damage_stands_until_a_verification_finds_nothing(
    farm: FarmInMemory, first: Server
) -> None:
    version = farm.import_disk("debian", disk(1)).version
    store = farm.store_of("s1")
    sound = dict(store.chunks)
    damage(farm, first)
    store.chunks.update(sound)
    farm.application.verify_version(VersionName.parse("debian/1"), first.name, Progress())
    assert says_complete(farm, first, version, healed=0).is_complete


def test_importing_the_same_disk_again_does_not_hide_damage(
    farm: FarmInMemory, first: Server
) -> None:
    version = farm.import_disk("debian", disk(1)).version
    damage(farm, first)
    farm.import_disk("debian", disk(1))
    assert replica(farm, version, first).state is ReplicaState.DAMAGED
