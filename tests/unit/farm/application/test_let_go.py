"""Copies that are too many go, when the others are sure."""

import pytest
from tests.farm_in_memory import FarmInMemory, disk

from corral.farm.application.change_server import ServerEdit
from corral.farm.application.let_go import LETS_GO
from corral.farm.application.show_replication import CopyState
from corral.farm.application.take_server_report import ServerReport
from corral.farm.domain.access.audit import AuditFilter
from corral.farm.domain.estate.replication import Stays
from corral.farm.domain.estate.server import Server
from corral.farm.domain.estate.store import FIRST_STORE
from corral.farm.domain.image.errors import CopyLeavesError

STORE = FIRST_STORE.name


class Three:
    """A version on each of three servers."""

    def __init__(self, farm: FarmInMemory) -> None:
        self.farm = farm
        farm.application.set_copies(STORE, None)
        self.servers = {name: farm.add_server(name) for name in ("s1", "s2", "s3")}
        self.version = farm.import_disk("debian", disk(1)).version
        self.round()

    def round(self, *silent: str, sessions: str = "") -> None:
        """Let time pass, and every server that is not silent do as it was told and say so."""
        self.farm.wait(1)
        for name, server in self.servers.items():
            if name not in silent:
                self.report(server, is_read=name in sessions.split())

    def report(self, server: Server, *, is_read: bool = False) -> None:
        told = self.farm.application.configure_server(server.id)
        self.farm.report(
            server,
            holds=(self.version,) if told.replicas else (),
            removed=(self.version,) if told.removals else (),
            sessions=((self.device, self.version),) if is_read else (),
        )

    def with_device(self) -> None:
        self.device = self.farm.add_device("pc1", "debian")

    @property
    def states(self) -> dict[str, str]:
        return {
            view.server.name: view.state.value for view in self.farm.application.show_replication()
        }

    @property
    def problems(self) -> set[str]:
        return {view.problem for view in self.farm.application.show_replication() if view.problem}

    def settle(self, *silent: str, sessions: str = "") -> None:
        for _ in range(6):
            self.round(*silent, sessions=sessions)


@pytest.fixture
def three(farm: FarmInMemory) -> Three:
    return Three(farm)


def test_copies_go_one_after_the_other_when_fewer_are_asked_for(three: Three) -> None:
    three.farm.application.set_copies(STORE, 1)
    # Nothing that was said before counts.
    assert sorted(three.states.values()) == ["in step", "surplus", "surplus"]
    assert three.problems == {Stays.SILENT.value}
    seen = []
    for _ in range(6):
        three.round()
        seen.append(sorted(three.states.values()))
        assert list(three.states.values()).count("leaving") <= 1
    assert seen[-1] == ["in step"]
    told = three.farm.application.list_audit(AuditFilter(what=LETS_GO))
    assert len(told) == 2
    assert all(one.entry.thing.startswith("debian/1 on s") for one in told)
    # That stays so.
    three.settle()
    assert list(three.states.values()) == ["in step"]


def test_more_copies_are_fetched_again_though_one_is_just_leaving(three: Three) -> None:
    three.farm.application.set_copies(STORE, 2)
    three.farm.wait(1)
    for server in three.servers.values():
        three.farm.report(server, holds=(three.version,))
    three.farm.wait(1)
    for server in three.servers.values():
        three.farm.report(server, holds=(three.version,))
    assert "leaving" in three.states.values()
    leaver = next(name for name, state in three.states.items() if state == "leaving")
    with pytest.raises(CopyLeavesError, match=leaver):
        three.farm.application.replicate_version(three.version.name, [three.servers[leaver].name])
    three.farm.application.set_copies(STORE, 3)
    three.settle()
    assert three.states == dict.fromkeys(three.servers, "in step")


def test_copy_that_a_device_reads_from_stays_and_holds_up_no_other(three: Three) -> None:
    three.with_device()
    three.round(sessions="s2")
    three.farm.application.set_copies(STORE, 1)
    three.settle(sessions="s2")
    assert three.states == {"s2": "in step"}


def test_copies_that_devices_read_from_stay_until_they_do_not(three: Three) -> None:
    three.with_device()
    three.farm.application.set_copies(STORE, 1)
    three.settle(sessions="s1 s2 s3")
    assert sorted(three.states.values()) == ["in step", "surplus", "surplus"]
    assert three.problems == {Stays.IN_USE.value}
    three.settle()
    assert len(three.states) == 1


def test_nothing_goes_while_too_few_others_are_heard_of(three: Three) -> None:
    three.farm.application.set_copies(STORE, 2)
    for _ in range(3):
        three.round("s1")
    three.farm.wait(10)
    three.settle("s1")
    assert set(three.states) == {"s1", "s2", "s3"}
    three.settle()
    assert len(three.states) == 2


def test_copy_that_was_asked_for_by_hand_comes_on_top(three: Three) -> None:
    three.farm.application.replicate_version(three.version.name, [three.servers["s3"].name])
    three.farm.application.set_copies(STORE, 1)
    three.settle()
    assert "s3" in three.states
    assert len(three.states) == 2


def test_server_in_maintenance_is_none_of_the_copies_that_are_sure(three: Three) -> None:
    three.farm.application.change_server(three.servers["s1"].name, ServerEdit(maintenance=True))
    three.farm.application.set_copies(STORE, 2)
    three.settle()
    assert set(three.states) == {"s2", "s3"}


def test_plan_says_what_would_come_and_go_and_does_nothing(three: Three) -> None:
    plan = three.farm.application.set_copies.plan(STORE, 1)
    assert not plan.comes
    assert [stays for _, _, stays in plan.goes].count(Stays.GOES) == 1
    assert len(plan.goes) == 2
    three.settle()
    assert set(three.states.values()) == {CopyState.IN_STEP.value}
    three.farm.application.set_copies(STORE, 1)
    three.settle()
    plan = three.farm.application.set_copies.plan(STORE, None)
    assert len(plan.comes) == 2
    assert not plan.goes


@pytest.mark.parametrize("first", ["s1", "s2", "s3"])
def test_what_a_backup_knew_of_copies_is_no_reason_to_let_one_go(three: Three, first: str) -> None:
    """A server may have lost its copy since, and says so only when it follows the restored farm."""
    three.farm.application.set_copies(STORE, 2)
    three.round("s3")
    three.round("s1", "s2")
    three.farm.be_restored()
    for name, server in three.servers.items():
        if name != first:
            three.farm.application.take_server_report(server.id, ServerReport(generation=0))
    three.report(three.servers[first])
    assert "leaving" not in three.states.values()
    three.settle()
    assert list(three.states.values()) == ["in step", "in step"]


def test_policy_that_nobody_has_set_takes_nothing_away(farm: FarmInMemory) -> None:
    three = Three(farm)
    three.settle()
    assert set(three.states.values()) == {"in step"}
