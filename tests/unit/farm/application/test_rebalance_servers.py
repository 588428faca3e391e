"""Devices are asked to move, by hand and by the farm itself."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from tests.farm_in_memory import FarmInMemory, disk

from corral.farm.application.progress import Progress
from corral.farm.application.set_balance import BalanceWish
from corral.farm.application.take_server_report import ReportedSession, ServerReport
from corral.farm.application.work_on_task import Finished, Stopped
from corral.farm.domain.access.actor import Actor, ActorKind
from corral.farm.domain.access.audit import AuditFilter
from corral.farm.domain.delivery.device import Device
from corral.farm.domain.delivery.move import AT_ONCE
from corral.farm.domain.delivery.rebalance import BalanceRuleError, Quiet, Reason
from corral.farm.domain.estate.server import Server
from corral.farm.domain.estate.site import FIRST_SITE
from corral.farm.domain.task.task import Unit


@dataclass
class Lab:
    """Two servers that hold an image, and devices that read where the test says."""

    farm: FarmInMemory
    servers: list[Server] = field(default_factory=list)
    reads_from: dict[str, Server] = field(default_factory=dict)
    devices: dict[str, Device] = field(default_factory=dict)
    sent_bytes: int = 0

    def __post_init__(self) -> None:
        self.servers = [self.farm.add_server(name) for name in ("s1", "s2")]
        version = self.farm.import_disk("debian", disk(1)).version
        self.farm.report(self.servers[0])
        self.farm.replicate(version, self.servers[1])
        self.began = self.farm.ports.clock.now()

    def add(self, count: int, server: int) -> None:
        for _ in range(count):
            name = f"pc{len(self.devices)}"
            self.devices[name] = self.farm.add_device(name, "debian")
            self.reads_from[name] = self.servers[server]

    def pass_time(self, seconds: int = 1) -> None:
        """Let every device read, and every server report it, each second."""
        for _ in range(seconds):
            self.farm.wait(1)
            self.sent_bytes += 1
            for server in self.servers:
                self.farm.application.take_server_report(
                    server.id,
                    ServerReport(
                        generation=self.farm.generation,
                        sessions=tuple(
                            ReportedSession(
                                device.id, "debian/1", f"{name}:1", self.began, self.sent_bytes
                            )
                            for name, device in self.devices.items()
                            if self.reads_from[name].id == server.id
                        ),
                    ),
                )

    def idle(self, seconds: int) -> None:
        """Let time pass with as few reports as keep servers online."""
        for _ in range(seconds // 5):
            self.farm.wait(4)
            self.pass_time()

    def asked(self) -> dict[str, str]:
        """Give who is asked to go where, by the servers' configurations."""
        names = {device.id: name for name, device in self.devices.items()}
        return {
            names[move.device_id]: str(move.target)
            for server in self.servers
            for move in self.farm.application.configure_server(server.id).moves
        }

    def obey(self) -> None:
        """Let each device that is asked log in and go where it is sent first."""
        for name in self.asked():
            version = self.farm.version("debian/1")
            answer = self.farm.application.log_device_in(self.devices[name].id, version.root)
            self.reads_from[name] = answer.servers[0]

    def counts(self) -> list[int]:
        with self.farm.ports.transactions.reading() as records:
            loads = records.places.loads(self.farm.ports.clock.now())
        return [loads[one.id].devices if one.id in loads else 0 for one in self.servers]


@dataclass
class Around:
    """Lets something happen whenever a task waits."""

    happens: Callable[[], None]
    progress: Progress = field(default_factory=Progress)
    lines: list[str] = field(default_factory=list)

    def wait(self, seconds: float) -> None:
        del seconds
        self.happens()

    def say(self, text: str) -> None:
        self.lines.append(text)

    def made(self, records: object, result: str) -> None:
        raise NotImplementedError


@pytest.fixture
def lab(farm: FarmInMemory) -> Lab:
    return Lab(farm)


def by_hand_only(lab: Lab) -> None:
    lab.farm.application.set_balance(BalanceWish(is_automatic=False))


def test_a_dry_run_says_who_would_move_and_moves_nobody(lab: Lab) -> None:
    by_hand_only(lab)
    lab.add(4, 0)
    lab.pass_time()
    verb = lab.farm.application.rebalance_servers
    plan = verb.of_server(lab.servers[0].name, is_dry_run=True)
    assert [(move.device, move.origin, move.target) for move in plan.moves] == [
        ("pc0", "s1", "s2"),
        ("pc1", "s1", "s2"),
    ]
    assert "4.0 devices" in plan.moves[0].why
    assert not plan.is_ordered
    lab.pass_time()
    assert lab.asked() == {}


def test_it_is_told_who_had_whom_moved_where(lab: Lab) -> None:
    by_hand_only(lab)
    lab.add(4, 0)
    lab.pass_time()
    ada = lab.farm.application.acting_as(Actor(ActorKind.ACCOUNT, "ada", "192.0.2.1"))
    mine = AuditFilter(name="ada")
    ada.rebalance_servers.of_server(lab.servers[0].name, is_dry_run=True)
    assert ada.list_audit(mine) == []
    ada.rebalance_servers.of_server(lab.servers[0].name)
    *moves, whole = [noted.entry for noted in ada.list_audit(mine)]
    assert (whole.what, whole.thing, whole.after) == ("server.rebalance", "s1", {"moves": 2})
    assert [(one.what, one.thing) for one in moves] == [
        ("device.move", "pc1"),
        ("device.move", "pc0"),
    ]
    assert (moves[0].before, moves[0].after) == ({"server": "s1"}, {"server": "s2"})


def test_what_the_farm_moves_by_itself_is_nobodys_doing(lab: Lab) -> None:
    lab.add(20, 0)
    lab.idle(600)
    lab.pass_time(2)
    assert lab.asked()
    assert lab.farm.application.list_audit(AuditFilter(what="device.move")) == []


def test_devices_go_in_turns_and_the_round_ends(lab: Lab) -> None:
    by_hand_only(lab)
    lab.add(20, 0)
    lab.pass_time()
    generation = lab.farm.generation
    plan = lab.farm.application.rebalance_servers.of_site(FIRST_SITE.name)
    assert len(plan.moves) == 10
    rounds = 0
    while lab.asked():
        assert len(lab.asked()) == AT_ONCE
        lab.obey()
        lab.pass_time(10)
        rounds += 1
    assert rounds == 2
    assert lab.counts() == [10, 10]
    assert lab.farm.generation == generation  # nothing that replicas or exports depend on


def test_asking_twice_moves_nobody_twice(lab: Lab) -> None:
    by_hand_only(lab)
    lab.add(20, 0)
    lab.pass_time()
    first = lab.farm.application.rebalance_servers.of_site(FIRST_SITE.name)
    again = lab.farm.application.rebalance_servers.of_site(FIRST_SITE.name)
    assert first.moves
    assert again.moves == ()


def test_a_device_is_where_it_was_until_it_reads_elsewhere(lab: Lab) -> None:
    by_hand_only(lab)
    lab.add(4, 0)
    lab.pass_time()
    lab.farm.application.rebalance_servers.of_server(lab.servers[0].name)
    (moving, *_) = lab.asked()
    version = lab.farm.version("debian/1")
    answer = lab.farm.application.log_device_in(lab.devices[moving].id, version.root)
    assert [server.name for server in answer.servers] == ["s2", "s1"]
    lab.pass_time(3)
    assert lab.counts() == [4, 0]
    assert moving in lab.asked()


def test_a_device_that_does_not_go_is_asked_for_two_minutes_and_then_left_alone(lab: Lab) -> None:
    by_hand_only(lab)
    lab.add(4, 0)
    lab.pass_time()
    lab.farm.application.rebalance_servers.of_server(lab.servers[0].name)
    lab.pass_time(119)
    assert len(lab.asked()) == 2
    lab.pass_time(2)
    assert lab.asked() == {}
    plan = lab.farm.application.rebalance_servers.of_server(lab.servers[0].name)
    assert {move.device for move in plan.moves} == {"pc2", "pc3"}


def test_the_farm_relieves_a_server_by_itself_once_in_ten_minutes(lab: Lab) -> None:
    lab.add(20, 0)
    lab.pass_time()
    assert lab.asked() == {}  # there was a round when the first server reported, without devices
    lab.idle(600)
    lab.pass_time()
    assert set(lab.asked().values()) == {"s2"}
    while lab.asked():
        lab.obey()
        lab.pass_time(10)
    assert lab.counts() == [10, 10]
    lab.add(20, 1)
    lab.pass_time(60)
    assert lab.asked() == {}
    lab.idle(540)
    lab.pass_time()
    assert set(lab.asked().values()) == {"s1"}
    while lab.asked():
        lab.obey()
        lab.pass_time(10)
    assert lab.counts() == [20, 20]


def test_two_reports_at_once_make_one_round(lab: Lab) -> None:
    lab.add(20, 0)
    lab.idle(600)
    lab.pass_time(30)
    assert len(lab.asked()) == AT_ONCE
    with lab.farm.ports.transactions.reading() as records:
        assert len(records.moves.in_progress()) == 10


def test_switched_off_the_farm_moves_nobody(lab: Lab) -> None:
    by_hand_only(lab)
    lab.add(20, 0)
    for _ in range(3):
        lab.idle(600)
        lab.pass_time(2)
        assert lab.asked() == {}


def test_nobody_is_moved_where_nothing_is_gained(lab: Lab) -> None:
    plan = lab.farm.application.rebalance_servers.of_server(lab.servers[0].name)
    assert plan.moves == ()
    assert plan.quiet == (Reason(None, Quiet.BALANCED),)


def test_rules_are_set_one_by_one_and_checked(lab: Lab) -> None:
    rules = lab.farm.application.set_balance(BalanceWish(over_percent=40))
    assert rules.over_percent == 40
    assert rules.every == timedelta(minutes=10)
    assert lab.farm.application.set_balance(BalanceWish()) == rules
    for wish in (
        BalanceWish(every=timedelta(seconds=30)),
        BalanceWish(over_percent=0),
        BalanceWish(least_devices=0),
        BalanceWish(booting_percent=101),
    ):
        with pytest.raises(BalanceRuleError) as refusal:
            lab.farm.application.set_balance(wish)
        assert refusal.value.code == "balance-rule-invalid"
    assert lab.farm.application.set_balance(BalanceWish()) == rules


def test_a_task_counts_the_devices_that_go_and_names_those_that_do_not(lab: Lab) -> None:
    by_hand_only(lab)
    lab.add(8, 0)
    lab.pass_time()
    task = lab.farm.application.start_task("rebalance", {"server": "s1"})
    assert task.request.kind.counts is Unit.DEVICES
    seen: list[tuple[int | None, int]] = []

    def happens() -> None:
        amounts = around.progress.amounts()
        seen.append((amounts.total_bytes, amounts.done_bytes))
        if len(seen) == 1:
            stubborn = lab.reads_from["pc0"]
            lab.obey()
            lab.reads_from["pc0"] = stubborn
        lab.idle(15)

    progress = Progress()
    killed = Around(progress.cancel, progress)
    assert lab.farm.application.run_task(task, killed) == Stopped()
    assert len(killed.lines) == 4
    # The next run finds the devices asked, and asks no others.
    around = Around(happens)
    ending = lab.farm.application.run_task(task, around)
    assert ending == Finished("3 of 4 devices moved; pc0 did not go")
    assert around.lines == []
    assert seen[0] == (4, 0)
    assert (4, 3) in seen
    assert around.progress.amounts().done_bytes == 4
