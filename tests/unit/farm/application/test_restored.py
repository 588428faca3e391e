"""A farm that was restored observes, and then takes over what is newer than its backup."""

import pytest
from tests.farm_in_memory import FarmInMemory, disk
from tests.unit.farm.application.computing import Laptop
from tests.unit.farm.application.restored import WHY, Restored

from corral.farm.application.accept_difference import ACCEPTED
from corral.farm.application.note_holdings import Holdings
from corral.farm.application.take_server_report import ServerReport
from corral.farm.domain.access.audit import AuditFilter
from corral.farm.domain.backup.errors import (
    AcceptanceReasonMissingError,
    DifferenceChangedError,
    FarmNotRestoredError,
    FarmObservesError,
    NothingToAcceptError,
)
from corral.farm.domain.backup.observation import HeldVersion
from corral.farm.domain.computer.check_in import MachineState, SeenMachine
from corral.farm.domain.computer.computer import computer_name
from corral.farm.domain.computer.errors import ComputerAheadError
from corral.farm.domain.delivery.errors import RunningVersionUnknownError
from corral.farm.domain.image.root import RootHash
from corral.farm.domain.image.standing import Standing
from corral.farm.domain.image.version import Version, VersionName


@pytest.fixture
def restored() -> Restored:
    return Restored()


def test_a_farm_that_was_never_restored_has_no_difference(farm: FarmInMemory) -> None:
    with pytest.raises(FarmNotRestoredError):
        farm.application.show_difference()
    with pytest.raises(FarmNotRestoredError):
        farm.application.accept_difference(WHY)


def test_a_restored_farm_is_told_what_is_newer_and_adopts_it(restored: Restored) -> None:
    second = restored.publish(2)
    restored.restore()
    assert restored.codes() == ["server-unheard server s1", "server-unheard server s2"]
    restored.hear()
    assert restored.codes() == ["version-newer version golden/2", "generation-newer farm"]
    restored.accept()
    adopted = restored.farm.version("golden/2")
    assert (adopted.root, adopted.size_bytes) == (second.root, second.size_bytes)
    assert (adopted.signature, adopted.standing) == (second.signature, second.standing)
    for name in ("s1", "s2"):
        assert restored.exports(name) == ["golden/1", "golden/2"]
        told = restored.farm.application.configure_server(restored.servers[name].id)
        assert not told.observes
    restored.hear()
    device = restored.farm.add_device("pc1", "golden")
    answer = restored.farm.application.log_device_in(device.id)
    assert str(answer.version.name) == "golden/2"
    assert {one.name for one in answer.servers} == {"s1", "s2"}
    assert str(restored.publish(3).name) == "golden/3"
    (entry,) = [
        one.entry
        for one in restored.farm.application.list_audit(AuditFilter(), 100)
        if one.entry.what == ACCEPTED
    ]
    assert entry.after is not None
    assert entry.after["because"] == WHY


def test_while_it_observes_nothing_is_taken_from_servers(restored: Restored) -> None:
    """Neither what was on its way out in the backup, nor where it wanted devices to be."""
    farm = restored.farm
    spare = farm.import_disk("spare", disk(7)).version
    farm.replicate(spare, restored.servers["s2"])
    farm.application.retire_version(spare.name)
    farm.application.delete_version(spare.name)
    restored.backup = restored.transactions.kept()
    told = farm.application.configure_server(restored.servers["s2"].id)
    assert told.removals == (spare.root,)
    restored.restore()
    told = farm.application.configure_server(restored.servers["s2"].id)
    assert (told.observes, told.removals, told.moves, told.order) == (True, (), (), None)
    restored.hear()
    restored.accept()
    told = farm.application.configure_server(restored.servers["s2"].id)
    assert (told.observes, told.removals) == (False, (spare.root,))


def test_a_stream_process_that_cannot_observe_is_told_nothing(restored: Restored) -> None:
    restored.restore()
    server = restored.servers["s1"].id
    with pytest.raises(FarmObservesError):
        restored.farm.application.configure_server(server, can_observe=False)
    restored.hear()
    restored.accept()
    assert not restored.farm.application.configure_server(server, can_observe=False).observes


def test_changes_are_refused_until_somebody_accepts(restored: Restored) -> None:
    restored.restore()
    restored.hear()
    application, name = restored.farm.application, restored.servers["s1"].name
    version = VersionName.parse("golden/1")
    for refused in (
        lambda: application.drain_server(name),
        lambda: application.retire_version(version),
        lambda: restored.farm.import_disk("golden", disk(5)),
        lambda: restored.farm.add_device("pc9"),
    ):
        with pytest.raises(FarmObservesError):
            refused()
    restored.accept()
    application.drain_server(name)


def test_a_device_that_runs_what_only_servers_know_gets_a_ticket_for_it(
    restored: Restored,
) -> None:
    device = restored.farm.add_device("pc1", "golden")
    stranger = restored.farm.add_device("pc2")
    restored.backup = restored.transactions.kept()
    second = restored.publish(2)
    restored.restore()
    log_in = restored.farm.application.log_device_in
    with pytest.raises(RunningVersionUnknownError):
        log_in(device.id, second.root)
    restored.hear()
    answer = log_in(device.id, second.root)
    assert answer.export == "golden/2"
    assert {one.name for one in answer.servers} == {"s1", "s2"}
    assert log_in(device.id).export == "golden/1"
    with pytest.raises(RunningVersionUnknownError):
        log_in(stranger.id, second.root)


def test_what_the_farm_has_not_signed_is_adopted_by_nobody(restored: Restored) -> None:
    restored.publish(2)
    restored.restore()
    said = restored.holds["s1"]
    forged = [
        HeldVersion(one.name, one.root, bytes(64), one.size_bytes, one.standing)
        for one in said.versions
        if str(one.name) == "golden/2"
    ]
    restored.holds["s1"] = Holdings(said.generation, (*said.versions[:1], *forged))
    restored.hear("s1")
    assert restored.codes() == ["server-unheard server s2", "generation-newer farm"]


def test_a_server_that_was_silent_is_heard_later(restored: Restored) -> None:
    restored.publish(2)
    restored.restore()
    restored.hear("s2")
    restored.accept()
    # By then s1 has what s2 did not, and nobody has seen it.
    assert restored.farm.application.configure_server(restored.servers["s1"].id).observes
    assert restored.farm.application.show_status().observing is not None
    root = RootHash("3" * 64)
    signature = restored.farm.ports.farm_key.sign(root.signed_message())
    said = restored.holds["s1"]
    third = HeldVersion(
        VersionName.parse("golden/3"), root, signature, 65_536, Standing.TEST, is_offered=True
    )
    restored.holds["s1"] = Holdings(said.generation, (*said.versions, third))
    restored.hear("s1")
    assert "version-newer version golden/3" in restored.codes()
    assert restored.farm.application.configure_server(restored.servers["s1"].id).observes
    restored.accept()
    assert restored.exports("s1") == ["golden/1", "golden/2", "golden/3"]
    assert restored.farm.application.show_status().observing is None


def test_a_silent_server_with_nothing_new_needs_nobody(restored: Restored) -> None:
    restored.restore()
    restored.accept()
    restored.hear()
    assert restored.farm.application.show_status().observing is None
    with pytest.raises(NothingToAcceptError):
        restored.accept()


def test_what_a_server_forgets_again_was_heard_all_the_same(restored: Restored) -> None:
    restored.publish(2)
    restored.restore()
    restored.hear()
    codes = restored.codes()
    restored.holds["s1"] = Holdings(0, restored.holds["s1"].versions[:1])
    restored.hear("s1")
    assert restored.codes() == codes
    restored.accept()
    assert restored.exports("s1") == ["golden/1", "golden/2"]


def test_nobody_is_stuck_above_the_farm(restored: Restored) -> None:
    """A clock that went back with the machine counts below what servers follow."""
    restored.restore()
    far = restored.farm.generation + 5_000
    restored.farm.application.take_server_report(
        restored.servers["s1"].id,
        ServerReport(generation=far, holdings=Holdings(far, restored.holds["s1"].versions)),
    )
    assert restored.farm.generation >= far
    restored.hear("s2")
    restored.accept()
    assert restored.farm.generation > far


def test_what_is_accepted_is_what_was_seen(restored: Restored) -> None:
    restored.publish(2)
    restored.restore()
    restored.hear("s1")
    seen = restored.farm.application.show_difference().seen
    restored.hear("s2")
    with pytest.raises(DifferenceChangedError):
        restored.farm.application.accept_difference(WHY, seen)
    with pytest.raises(AcceptanceReasonMissingError):
        restored.farm.application.accept_difference(" ")
    assert restored.farm.application.show_difference().observes
    seen = restored.farm.application.show_difference().seen
    restored.farm.application.accept_difference(WHY, seen)


def running(version: Version, user: str) -> SeenMachine:
    return SeenMachine(
        "golden", user, "shared", MachineState.PROVEN, running=version.root, is_running=True
    )


def test_a_computer_is_told_nothing_while_the_farm_observes(restored: Restored) -> None:
    laptop = Laptop(restored.farm)
    laptop.register("ann")
    laptop.assign("golden")
    laptop.check_in()
    restored.backup = restored.transactions.kept()
    second = restored.publish(2)
    laptop.check_in(running(second, "ann"))
    restored.restore()
    with pytest.raises(FarmObservesError):
        laptop.check_in(running(second, "ann"))
    restored.hear()
    # What it runs becomes a version again: nothing would be taken from it then.
    assert not any(code.startswith("computer-ahead") for code in restored.codes())
    restored.accept()
    told = laptop.check_in(running(second, "ann"))
    assert [str(one.version) for one in told.orders.machines] == ["golden/2"]


def test_nothing_is_taken_from_a_computer_that_the_farm_has_forgotten(restored: Restored) -> None:
    laptop = Laptop(restored.farm)
    laptop.register("ann")
    laptop.check_in()
    restored.backup = restored.transactions.kept()
    laptop.assign("golden")
    first = restored.farm.version("golden/1")
    laptop.check_in(running(first, "ann"))
    restored.restore()
    restored.hear()
    restored.accept()
    with pytest.raises(ComputerAheadError, match="golden/1 for ann"):
        laptop.check_in(running(first, "ann"))
    assert "computer-ahead computer laptop" in restored.codes()
    waits = restored.farm.application.look_for_orders([laptop.id])
    assert waits == {laptop.id: 0}
    restored.farm.application.accept_difference("ann has left", None, [computer_name("laptop")])
    assert laptop.check_in(running(first, "ann")).orders.machines == ()
