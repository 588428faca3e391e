"""What a collection is told to keep, and what is told about it."""

from pathlib import Path

import pytest
from tests.farm_in_memory import FarmInMemory, disk

from corral.farm.application.add_server import NewServer
from corral.farm.application.add_store import NewStore
from corral.farm.application.collect_store import CollectionReport
from corral.farm.application.progress import Progress
from corral.farm.application.store_tasks import tell_collection
from corral.farm.domain.estate.address import Address
from corral.farm.domain.estate.errors import ServerUnknownError
from corral.farm.domain.estate.server import Server, server_name
from corral.farm.domain.estate.store import store_name
from corral.farm.domain.image.errors import StoreNeedsHealingError, StoreNotAStoreError


@pytest.fixture
def server(farm: FarmInMemory) -> Server:
    return farm.add_server("s1")


def collect(farm: FarmInMemory, *, is_dry_run: bool = False) -> CollectionReport:
    return farm.application.collect_store(server_name("s1"), Progress(), is_dry_run=is_dry_run)


@pytest.mark.usefixtures("server")
def test_the_chunks_of_a_deleted_version_are_freed_and_the_others_serve_on(
    farm: FarmInMemory,
) -> None:
    old = farm.import_disk("debian", disk(1, 2)).version
    new = farm.import_disk("debian", disk(1, 3)).version
    farm.application.delete_version(old.name)
    planned = collect(farm, is_dry_run=True)
    assert planned.done is None
    assert planned.plan.kept_roots == {new.root}
    assert planned.plan.freed_bytes == 65_536
    assert len(farm.store_of("s1").chunks) == 3
    report = collect(farm)
    assert report.done is not None
    assert (report.done.freed_bytes, report.strange) == (65_536, ())
    assert len(farm.store_of("s1").chunks) == 2
    assert farm.application.verify_store(server_name("s1"), Progress()).found.is_sound
    assert tell_collection(report) == "freed 65536 bytes of s1; versions kept: 1"


@pytest.mark.usefixtures("server")
def test_a_version_that_the_farm_does_not_know_is_kept_and_told(farm: FarmInMemory) -> None:
    published = farm.import_disk("debian", disk(1)).version
    store = farm.store_of("s1")
    other = farm.import_disk("other", disk(2)).version
    server = farm.application.show_server(server_name("s1")).server
    with farm.ports.transactions.writing() as records:
        records.replicas.remove(server.id, other.root)
    store.manifests[stray := type(other.root)("ab" * 32)] = ()
    report = collect(farm)
    assert {one.root: one.names for one in report.strange} == {
        stray: (),
        other.root: (other.name,),
    }
    assert store.holds(published.root)
    assert store.holds(other.root)
    assert stray in store.manifests


def test_versions_of_servers_that_share_the_folder_are_nothing_strange(farm: FarmInMemory) -> None:
    name = store_name("nas")
    farm.application.add_store(NewStore(name, default_path=Path("/srv/nas"), shared=True))
    first, second = (
        farm.application.add_server(
            NewServer(
                name=server_name(text),
                store_path=None,
                store=name,
                listen=(Address("127.0.0.1", 10_801 + place),),
                chunks_listen=Address("127.0.0.1", 10_901 + place),
            )
        ).server
        for place, text in enumerate(("s1", "s2"))
    )
    version = farm.import_disk("debian", disk(1)).version
    with farm.ports.transactions.writing() as records:
        assert records.replicas.find(second.id, version.root) is not None
        records.replicas.remove(first.id, version.root)
    assert collect(farm).strange == ()


@pytest.mark.usefixtures("server")
def test_nothing_is_freed_where_a_version_lacks_chunks(farm: FarmInMemory) -> None:
    farm.import_disk("debian", disk(1, 2))
    store = farm.store_of("s1")
    lost = next(iter(store.chunks))
    store.chunks["nobody needs it"] = b"x"
    del store.chunks[lost]
    with pytest.raises(StoreNeedsHealingError, match="corral store heal") as refused:
        collect(farm)
    assert refused.value.code == "store-needs-healing"
    assert "nobody needs it" in store.chunks


def test_a_server_whose_store_is_elsewhere_and_one_that_is_not_known_are_refused(
    farm: FarmInMemory, server: Server
) -> None:
    del farm.ports.chunk_stores.stores[server.store.path]
    with pytest.raises(StoreNotAStoreError):
        collect(farm)
    with pytest.raises(ServerUnknownError):
        farm.application.collect_store(server_name("s9"), Progress())
