"""A server is removed only with a proof that the farm can do without it."""

from pathlib import Path

import pytest
from tests.farm_in_memory import FarmInMemory, disk

from corral.farm.application.add_store import NewStore
from corral.farm.application.change_server import ServerEdit
from corral.farm.application.import_image import ImportRequest
from corral.farm.application.maintain_image import MaintenanceRequest
from corral.farm.application.progress import Progress
from corral.farm.application.take_server_report import ServerReport
from corral.farm.domain.access.audit import AuditFilter
from corral.farm.domain.delivery.device import Device
from corral.farm.domain.delivery.errors import (
    ServerNeededError,
    ServerNotLostError,
    ServerSilentError,
)
from corral.farm.domain.delivery.removal import Need
from corral.farm.domain.estate.errors import (
    ServerChangedError,
    ServerRemovedError,
    ServerUnknownError,
)
from corral.farm.domain.estate.server import Server
from corral.farm.domain.estate.store import StoreInUseError, store_name
from corral.farm.domain.image.image import image_name
from corral.farm.domain.image.version import Version, VersionState
from corral.farm.domain.task.schedule import Times, schedule_name
from corral.farm.domain.task.state import TaskState


@pytest.fixture
def servers(farm: FarmInMemory) -> list[Server]:
    """Three servers that are heard of, and hold ``debian/1``."""
    made = [farm.add_server(name) for name in ("s1", "s2", "s3")]
    version = farm.import_disk("debian", disk(1)).version
    farm.report(made[0], holds=(version,))
    for server in made[1:]:
        farm.replicate(version, server)
    return made


@pytest.fixture
def version(farm: FarmInMemory, servers: list[Server]) -> Version:
    assert servers
    return farm.version("debian/1")


def all_report(farm: FarmInMemory, servers: list[Server], version: Version) -> None:
    for server in servers:
        farm.report(server, holds=(version,))


def needs(farm: FarmInMemory, server: Server, *, is_lost: bool = False) -> dict[Need, list[str]]:
    before = farm.generation
    with pytest.raises(ServerNeededError) as refusal:
        farm.application.remove_server(server.name, is_lost=is_lost)
    with pytest.raises(ServerNeededError, match="cannot be removed"):
        farm.application.remove_server.plan(server.name, is_lost=is_lost)
    assert refusal.value.code == "server-needed"
    assert farm.generation == before
    assert farm.application.show_server(server.name).server == server_now(farm, server)
    found = {one.need: list(one.whose) for one in refusal.value.needs}
    assert all(name in refusal.value.message for names in found.values() for name in names)
    return found


def server_now(farm: FarmInMemory, server: Server) -> Server:
    with farm.ports.transactions.reading() as records:
        return records.servers.with_id(server.id)


def names(farm: FarmInMemory) -> list[str]:
    return [view.server.name for view in farm.application.list_servers()]


def test_what_is_elsewhere_too_goes_with_the_server(
    farm: FarmInMemory, servers: list[Server], version: Version
) -> None:
    plan = farm.application.remove_server.plan(servers[2].name)
    assert not plan.is_done
    assert names(farm) == ["s1", "s2", "s3"]
    removal = farm.application.remove_server(servers[2].name)
    assert removal.is_done
    assert removal.copies == plan.copies == (version.name,)
    assert names(farm) == ["s1", "s2"]
    with farm.ports.transactions.reading() as records:
        assert {one.server_id for one in records.replicas.all()} == {s.id for s in servers[:2]}
    with pytest.raises(ServerUnknownError):
        farm.application.remove_server(servers[2].name)


def test_its_token_counts_no_more_and_it_is_told_so(
    farm: FarmInMemory, servers: list[Server]
) -> None:
    token = farm.ports.secret_files.written[Path("/home/servers/s3.json")]
    assert farm.application.recognise_server(token) == servers[2].id
    farm.application.remove_server(servers[2].name)
    with pytest.raises(ServerRemovedError, match="'s3' was removed from the farm on 2026"):
        farm.application.recognise_server(token)
    # A report that was on its way changes nothing.
    with pytest.raises(ServerUnknownError):
        farm.application.take_server_report(servers[2].id, ServerReport(generation=99))


def test_a_server_of_the_same_name_is_another_one(
    farm: FarmInMemory, servers: list[Server]
) -> None:
    token = farm.ports.secret_files.written[Path("/home/servers/s3.json")]
    farm.application.remove_server(servers[2].name)
    del farm.ports.chunk_stores.stores[servers[2].store.path]
    again = farm.add_server("s3")
    assert again.id != servers[2].id
    with pytest.raises(ServerRemovedError):
        farm.application.recognise_server(token)


def test_whoever_streams_from_it_is_named(
    farm: FarmInMemory, servers: list[Server], version: Version
) -> None:
    device = farm.add_device("pc1", "debian")
    farm.report(servers[0], holds=(version,), sessions=((device, version),))
    assert needs(farm, servers[0]) == {Need.STREAMING: ["pc1"]}


def test_whoever_is_on_the_way_to_it_is_named(
    farm: FarmInMemory, servers: list[Server], version: Version
) -> None:
    device = farm.add_device("pc1", "debian")
    first = farm.application.log_device_in(device.id).servers[0]
    all_report(farm, servers, version)
    assert needs(farm, first) == {Need.STREAMING: ["pc1"]}


def test_whoever_would_be_at_risk_elsewhere_is_named_with_the_reason(
    farm: FarmInMemory, servers: list[Server], version: Version
) -> None:
    device = farm.add_device("pc1", "debian")
    farm.application.remove_server(servers[2].name)
    farm.report(servers[0], holds=(version,), sessions=((device, version),))
    found = needs(farm, servers[0])
    assert found[Need.STREAMING] == ["pc1"]
    [stranded] = found[Need.STRANDED]
    assert stranded == (
        "device pc1 (debian/1): once s2 is lost too"
        " no other server that takes devices and that it may use holds all of its version"
    )


def test_a_device_that_could_start_nowhere_else_is_named(
    farm: FarmInMemory, servers: list[Server], version: Version
) -> None:
    farm.add_device("pc1", "debian")
    for server in servers[1:]:
        farm.application.drain_server(server.name)
    assert needs(farm, servers[0]) == {Need.STARTING: ["pc1"]}
    farm.application.undrain_server(servers[1].name)
    assert farm.application.remove_server(servers[0].name).copies == (version.name,)


def test_the_only_copy_stays_and_a_silent_server_has_none(
    farm: FarmInMemory, servers: list[Server], version: Version
) -> None:
    farm.wait(6)
    farm.report(servers[0], holds=(version,))
    assert needs(farm, servers[0]) == {Need.COPY: ["debian/1"]}
    farm.report(servers[1], holds=(version,))
    assert farm.application.remove_server(servers[0].name).is_done


def test_a_damaged_copy_elsewhere_is_none(
    farm: FarmInMemory, servers: list[Server], version: Version
) -> None:
    for server in servers[1:]:
        with farm.ports.transactions.writing() as records:
            known = records.replicas.find(server.id, version.root)
            assert known is not None
            records.replicas.put(known.doubted(9, farm.ports.clock.now()))
    assert needs(farm, servers[0]) == {Need.COPY: ["debian/1"]}
    # Its own copy may be damaged, and yet have what heals the others'.
    assert farm.application.remove_server(servers[1].name).is_done
    assert needs(farm, servers[0]) == {Need.COPY: ["debian/1"]}


def test_a_copy_that_only_a_backup_knows_of_is_none(
    farm: FarmInMemory, servers: list[Server], version: Version
) -> None:
    """Its server is heard of, and has not said yet what it has."""
    farm.be_restored()
    for server in servers[1:]:
        farm.application.take_server_report(server.id, ServerReport(generation=0))
    farm.report(servers[0], holds=(version,))
    assert needs(farm, servers[0]) == {Need.COPY: ["debian/1"]}
    farm.report(servers[1], holds=(version,))
    assert farm.application.remove_server(servers[0].name).copies == (version.name,)


def test_what_a_device_wrote_stays(
    farm: FarmInMemory, servers: list[Server], version: Version
) -> None:
    device = maintained(farm)
    all_report(farm, servers, version)
    view = farm.application.maintain_image(MaintenanceRequest(image_name("debian"), device.name))
    all_report(farm, servers, version)
    found = needs(farm, view.server)
    assert found[Need.DISK] == ["maintenance disk of pc1 over debian/2"]
    farm.application.discard_maintenance(image_name("debian"))
    assert farm.application.remove_server(view.server.name).disks == ()


def maintained(farm: FarmInMemory) -> Device:
    return farm.add_device("pc1", "debian")


def test_a_silent_server_goes_only_as_lost_and_says_what_is_lost(
    farm: FarmInMemory, servers: list[Server], version: Version
) -> None:
    device = maintained(farm)
    view = farm.application.maintain_image(MaintenanceRequest(image_name("debian"), device.name))
    with pytest.raises(ServerNotLostError):
        farm.application.remove_server(view.server.name, is_lost=True)
    farm.wait(6)
    others = [one for one in servers if one.id != view.server.id]
    all_report(farm, others, version)
    with pytest.raises(ServerSilentError, match="--lost"):
        farm.application.remove_server(view.server.name)
    removal = farm.application.remove_server(view.server.name, is_lost=True)
    assert removal.copies == (version.name,)
    assert [str(one) for one in removal.disks] == ["maintenance disk of pc1 over debian/2"]
    # Nothing of the maintenance is left that would be in the way.
    again = farm.application.maintain_image(MaintenanceRequest(image_name("debian"), device.name))
    assert again.server.id != view.server.id


def test_what_is_published_is_not_lost_unless_it_was_deleted(farm: FarmInMemory) -> None:
    first, second = farm.add_server("s1"), farm.add_server("s2")
    farm.report(first)
    farm.report(second)
    lost = import_to(farm, second, "lost", 7)
    kept = import_to(farm, second, "lost", 8)
    farm.report(second, holds=(lost, kept))
    farm.wait(6)
    farm.report(first)
    del farm.ports.chunk_stores.stores[second.store.path]
    assert needs(farm, second, is_lost=True) == {Need.COPY: ["lost/1", "lost/2"]}
    # Somebody still has the second of them.
    farm.replicate(kept, first)
    assert needs(farm, second, is_lost=True) == {Need.COPY: ["lost/1"]}
    farm.application.delete_version(lost.name)
    assert farm.application.show_version(lost.name).version.state is VersionState.DELETING
    removal = farm.application.remove_server(second.name, is_lost=True)
    assert removal.deleted == (lost.name,)
    with farm.ports.transactions.reading() as records:
        assert records.versions.get(lost.name).state is VersionState.DELETED


def import_to(farm: FarmInMemory, server: Server, image: str, filling: int) -> Version:
    path = server.store.path / f"{image}-{filling}"
    farm.ports.files[path] = disk(filling)
    request = ImportRequest(image_name(image), path, server=server.name)
    return farm.application.import_image(request, Progress()).version


def test_who_streamed_from_a_lost_server_has_no_place_and_may_still_renew(
    farm: FarmInMemory, servers: list[Server], version: Version
) -> None:
    device = farm.add_device("pc1", "debian")
    first = farm.application.log_device_in(device.id).servers[0]
    farm.report(first, holds=(version,), sessions=((device, version),))
    farm.wait(6)
    others = [one for one in servers if one.id != first.id]
    all_report(farm, others, version)
    farm.application.remove_server(first.name, is_lost=True)
    with farm.ports.transactions.reading() as records:
        assert records.places.find(device.id) is None
        assert records.sessions.all() == []
        login = records.devices.with_id(device.id).last_login
    assert login is not None
    assert login.server_id is None
    answer = farm.application.log_device_in(device.id, running=version.root)
    assert first.id not in {one.id for one in answer.servers}


def test_work_for_its_store_ends(farm: FarmInMemory, servers: list[Server]) -> None:
    task = farm.application.start_task("heal", {"server": "s3"})
    name = schedule_name("nightly")
    farm.application.add_schedule(name, Times("0 3 * * *"), "heal", {"server": "s3"})
    removal = farm.application.remove_server(servers[2].name)
    assert (removal.tasks, removal.schedules) == ((task.number,), (name,))
    shown = farm.application.show_task(task.number)
    assert shown.view.task.state is TaskState.CANCELLED
    assert shown.log[-1].text == "cancelled: server s3 is removed"
    assert farm.application.list_schedules() == ()


def test_work_that_runs_on_it_is_waited_for(
    farm: FarmInMemory, servers: list[Server], version: Version
) -> None:
    task = farm.application.start_task("heal", {"server": "s3"})
    assert farm.application.claim_task(task.number, task.run, "worker-1") is not None
    assert needs(farm, servers[2]) == {Need.TASK: [str(task.number)]}
    # The worker of a lost server's task is told to stop.
    farm.wait(6)
    all_report(farm, servers[:2], version)
    farm.application.remove_server(servers[2].name, is_lost=True)
    assert farm.application.show_task(task.number).view.task.wish == "cancel"


def test_copies_that_are_missing_then_are_made_elsewhere(
    farm: FarmInMemory, servers: list[Server], version: Version
) -> None:
    farm.application.set_copies(farm.application.list_stores()[0].store.name, 2)
    farm.application.remove_server(servers[2].name)
    farm.add_server("s4")
    farm.application.remove_server(servers[1].name)
    with farm.ports.transactions.reading() as records:
        holders = {
            records.servers.with_id(one.server_id).name
            for one in records.replicas.of_root(version.root)
        }
    assert holders == {"s1", "s4"}


def test_two_people_do_not_decide_on_the_same_sight(
    farm: FarmInMemory, servers: list[Server]
) -> None:
    farm.application.drain_server(servers[2].name)
    with pytest.raises(ServerChangedError):
        farm.application.remove_server(servers[2].name, servers[2].revision)


def test_its_store_can_be_removed_after_it(farm: FarmInMemory, servers: list[Server]) -> None:
    store = store_name("lab")
    farm.application.add_store(NewStore(store))
    farm.application.change_server(servers[2].name, ServerEdit(store=store))
    with pytest.raises(StoreInUseError, match="server s3"):
        farm.application.remove_store(store)
    farm.application.remove_server(servers[2].name)
    farm.application.remove_store(store)


def test_what_went_is_in_the_audit_log(farm: FarmInMemory, servers: list[Server]) -> None:
    farm.application.remove_server(servers[2].name)
    noted = [
        (one.entry.what, one.entry.thing) for one in farm.application.list_audit(AuditFilter())
    ]
    assert noted[0] == ("server.remove", "s3")
    assert noted[1][0] == "replica.remove"
    assert noted[1][1].endswith("on s3")
