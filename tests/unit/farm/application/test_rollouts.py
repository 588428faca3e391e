"""Rollouts over a farm in memory: people start and stop them, computers check in."""

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from tests.databases import sqlite_with_tables
from tests.farm_in_memory import FarmInMemory, MemoryPorts, disk
from tests.kits import ENGINE as ENGINE_RELEASE
from tests.kits import Signer, kit
from tests.unit.farm.application.computing import ENGINE, Laptop, seen
from tests.unit.farm.application.test_computer_verbs import counted

from corral.farm.adapters.sql.transactions import SqlTransactions
from corral.farm.application.import_image import ImportRequest
from corral.farm.application.import_into_library import LibraryRequest
from corral.farm.application.list_rollouts import RolloutDetails
from corral.farm.application.ports.records import Records
from corral.farm.application.progress import Progress
from corral.farm.application.promote_version import PromotionRequest
from corral.farm.application.start_rollout import RolloutRequest
from corral.farm.application.take_check_in import ToldOrders
from corral.farm.domain.access.audit import AuditFilter
from corral.farm.domain.computer.check_in import (
    CheckIn,
    KitState,
    MachineState,
    SeenEngine,
    SeenKit,
    SeenMachine,
)
from corral.farm.domain.computer.computer import computer_name
from corral.farm.domain.computer.user import user_name
from corral.farm.domain.computer.why import Why
from corral.farm.domain.image.image import image_name
from corral.farm.domain.image.version import Access, VersionName
from corral.farm.domain.library.assignment import Upgrade
from corral.farm.domain.library.errors import (
    ItemInUseError,
    ItemNotAvailableError,
    KitForbiddenError,
)
from corral.farm.domain.library.item import ItemKind, item_name
from corral.farm.domain.library.kit import publisher_name
from corral.farm.domain.rollout.errors import (
    NoWayBackError,
    OfferingInvalidError,
    RolloutBusyError,
    RolloutChangedError,
    RolloutHaltedError,
    RolloutNameTakenError,
    RolloutNotOverError,
    RolloutStandsStillError,
    RolloutStillNeededError,
    WavesInvalidError,
)
from corral.farm.domain.rollout.gate import Gate, Verdict
from corral.farm.domain.rollout.member import MemberState
from corral.farm.domain.rollout.plan import WhyNot
from corral.farm.domain.rollout.rollout import Rollout, rollout_name
from corral.farm.domain.rollout.state import RolloutState
from corral.farm.domain.rollout.terms import Terms
from corral.farm.domain.rollout.wave import Wave

TWO = rollout_name("two")
DEBIAN = image_name("debian")
M, R, S = MachineState, RolloutState, MemberState
NO_SOAK = Gate(soak=timedelta(0))
RING = Terms((Wave("test", ring=frozenset({"pc0"}), gate=NO_SOAK), Wave("all", 100, gate=NO_SOAK)))


class Computer(Laptop):
    """Does what it is told, and starts from it at once."""

    engine = ENGINE
    kit = SeenKit("1.0.0")

    def __init__(self, farm: FarmInMemory, name: str) -> None:
        super().__init__(farm, name)
        self.has: dict[str, SeenMachine] = {}
        self.stays = False
        """Whether it does not do what it is told."""

    def check_in(self, *machines: SeenMachine, erased: bool = False) -> ToldOrders:
        del machines, erased
        self.sequence += 1
        self.farm.wait(1)
        said = CheckIn(
            self.id,
            self.sequence,
            self.farm.ports.clock.now(),
            self.engine,
            self.kit,
            tuple(self.has.values()),
        )
        farm_id = self.farm.application.show_farm().farm.id
        self.told = self.farm.application.take_check_in(farm_id, said)
        if not self.stays:
            self.obey()
        return self.told

    def obey(self) -> None:
        assert self.told is not None
        for order in self.told.orders.machines:
            runs = seen(order, M.PROVEN, is_running=True, is_healthy=True)
            self.has[order.image] = runs
        kit_ = self.told.orders.kit
        if kit_ is not None:
            self.kit = SeenKit(kit_.release, KitState.CURRENT, kit_.release, kit_.attempt)
            self.engine = replace(self.engine, release=kit_.release)

    def goes_back(self, old: str) -> None:
        """Take the version before in the place of the one that it was told to run."""
        machine = self.has[DEBIAN]
        root = self.farm.version(old).root
        self.has[DEBIAN] = replace(machine, state=M.WENT_BACK, running=root, code="not-healthy")

    @property
    def version(self) -> str:
        """The version that it is told to run."""
        assert self.told is not None
        return str(self.told.orders.machines[0].version)


class Fleet:
    """Computers of one user each, all of whom have the image debian."""

    def __init__(self, farm: FarmInMemory, count: int = 4) -> None:
        self.farm = farm
        self.app = farm.application
        self.server = farm.add_server("s1")
        self.publish(disk(1), Access.PRODUCTION)
        self.computers = [self.join(f"pc{number}") for number in range(count)]

    def join(self, name: str) -> Computer:
        computer = Computer(self.farm, name)
        computer.register(f"user-of-{name}")
        computer.assign("debian")
        computer.check_in()
        return computer

    def publish(self, content: bytes, to: Access) -> None:
        path = Path("/disks/debian")
        self.farm.ports.files[path] = content
        self.app.import_image(ImportRequest(DEBIAN, path, to=to), Progress())
        self.farm.report(self.server)

    def start(self, terms: Terms | None = RING, version: str = "debian/2") -> Rollout:
        request = RolloutRequest(TWO, VersionName.parse(version), terms)
        return self.app.start_rollout(request).course.rollout

    def round(self, *left_out: int) -> list[str]:
        for number, computer in enumerate(self.computers):
            if number not in left_out:
                computer.check_in()
        return self.versions()

    def versions(self) -> list[str]:
        return [computer.version.partition("/")[2] for computer in self.computers]

    def show(self) -> RolloutDetails:
        return self.app.show_rollout(TWO)

    def states(self) -> dict[str, MemberState]:
        return {one.computer: one.member.state for one in self.show().members}

    def state(self) -> RolloutState:
        with self.farm.ports.transactions.reading() as records:
            return records.rollouts.get(TWO).state


@pytest.fixture
def fleet(farm: FarmInMemory) -> Fleet:
    fleet = Fleet(farm)
    fleet.publish(disk(2), Access.TEST)
    return fleet


def test_a_version_goes_to_a_ring_and_then_to_all(fleet: Fleet) -> None:
    """S10 to S12: a limited number of test computers, then by stages to all."""
    assert fleet.round() == ["1", "1", "1", "1"]
    fleet.start()
    assert fleet.round() == ["2", "1", "1", "1"]
    shown = fleet.show()
    assert shown.view.rollout.state is R.RUNNING
    waiting = {one.computer: one.why_not and one.why_not.why for one in shown.members}
    assert waiting == {
        "pc0": None,
        **dict.fromkeys(("pc1", "pc2", "pc3"), WhyNot.GATE_INCONCLUSIVE),
    }
    # It is proven at its next check-in, which opens the next wave for those after it.
    assert fleet.round() == ["2", "2", "2", "2"]
    fleet.round()
    assert fleet.state() is R.COMPLETE
    assert set(fleet.states().values()) == {S.PROVEN}
    assert "every gate passes" in fleet.show().view.rollout.why
    (view,) = fleet.app.list_rollouts()
    assert (view.machines, view.proven, view.failures) == (4, 4, 0)


def test_each_state_of_a_rollout_is_in_the_audit_log(fleet: Fleet) -> None:
    fleet.start()
    for _ in range(3):
        fleet.round()
    fleet.app.take_rollout_back(TWO, "too slow")
    entries = [one.entry for one in reversed(fleet.app.list_audit(AuditFilter(what="rollout")))]
    assert [(one.what, one.thing) for one in entries] == [
        ("rollout.add", "two"),
        ("rollout.change", "two"),
        ("rollout.change", "two"),
    ]
    assert [one.after and one.after["state"] for one in entries] == [
        "running",
        "complete",
        "taking-back",
    ]
    assert entries[2].after is not None
    assert entries[2].after["why"] == "too slow"


def test_nobody_is_exposed_who_has_not_asked(fleet: Fleet) -> None:
    """An offer is written down with the orders that carry it, and not before."""
    fleet.start(Terms((Wave("all", 100),)))
    assert set(fleet.states().values()) == {S.WAITING}
    fleet.computers[1].check_in()
    assert fleet.states() == {
        "pc0": S.WAITING,
        "pc1": S.OFFERED,
        "pc2": S.WAITING,
        "pc3": S.WAITING,
    }
    # Who looks whether there is something to hear is offered nothing by that.
    ids = [computer.id for computer in fleet.computers]
    told = fleet.computers[0].told
    assert told is not None
    assert fleet.app.look_for_orders(ids)[ids[0]] == told.generation + 1
    assert fleet.states()["pc0"] is S.WAITING


def test_a_machine_that_goes_back_halts_it_until_somebody_accepts_that(fleet: Fleet) -> None:
    fleet.start()
    fleet.round()
    fleet.computers[0].goes_back("debian/1")
    fleet.computers[0].stays = True
    assert fleet.round() == ["2", "1", "1", "1"]
    assert fleet.state() is R.HALTED
    shown = fleet.show()
    assert shown.view.judged[0].verdict is Verdict.FAIL
    (failed,) = [one for one in shown.members if one.member.failures]
    assert (failed.computer, failed.member.state, failed.member.code) == (
        "pc0",
        S.WENT_BACK,
        "not-healthy",
    )
    assert fleet.round() == ["2", "1", "1", "1"]
    with pytest.raises(RolloutHaltedError, match="more failures than the limit"):
        fleet.app.resume_rollout(TWO)
    with pytest.raises(RolloutStandsStillError):
        fleet.app.retry_rollout(TWO)
    with pytest.raises(RolloutStandsStillError):
        fleet.app.retry_machine(computer_name("pc0"), DEBIAN)
    fleet.app.resume_rollout(TWO, accepts_failures=True)
    assert fleet.round() == ["2", "1", "1", "1"], (
        "its failure is accepted; it is not proven by that"
    )
    fleet.app.retry_rollout(TWO)
    fleet.computers[0].stays = False
    fleet.round()
    assert fleet.computers[0].has[DEBIAN].attempt == 1, "it is told another number"
    fleet.round()
    fleet.round()
    assert fleet.state() is R.COMPLETE


def test_success_is_withdrawn_and_the_next_wave_is_shut_again(fleet: Fleet) -> None:
    lenient = Gate(soak=timedelta(0), max_failures=3, max_failed_percent=100)
    terms = Terms(
        (Wave("test", ring=frozenset({"pc0"}), gate=lenient), Wave("all", 100, gate=lenient))
    )
    fleet.start(terms)
    fleet.round()
    fleet.computers[0].check_in()
    fleet.computers[1].check_in()
    assert fleet.versions() == ["2", "2", "1", "1"]
    fleet.computers[0].goes_back("debian/1")
    fleet.computers[0].stays = True
    fleet.computers[0].check_in()
    assert fleet.round(0) == ["2", "2", "1", "1"]
    waits = {one.computer: one.why_not for one in fleet.show().members}
    assert str(waits["pc2"]) == "gate-inconclusive (wave 1)"


def test_paused_nobody_new_is_offered_it_and_who_has_it_keeps_it(fleet: Fleet) -> None:
    fleet.start()
    fleet.computers[0].check_in()
    fleet.app.pause_rollout(TWO, "holidays")
    assert fleet.round() == ["2", "1", "1", "1"]
    assert fleet.round() == ["2", "1", "1", "1"]
    assert fleet.states()["pc0"] is S.PROVEN, "what was begun is finished"
    assert {one.why_not.why for one in fleet.show().members if one.why_not} == {WhyNot.PAUSED}
    fleet.app.resume_rollout(TWO)
    assert fleet.round() == ["2", "2", "2", "2"]


def test_stopped_it_stays_with_those_who_run_it(fleet: Fleet) -> None:
    fleet.start(Terms((Wave("all", 100),)))
    fleet.computers[0].check_in()
    fleet.computers[0].check_in()
    fleet.computers[1].stays = True
    fleet.computers[1].check_in()
    fleet.app.stop_rollout(TWO)
    assert fleet.round() == ["2", "1", "1", "1"]
    assert fleet.state() is R.STOPPED
    with pytest.raises(RolloutStillNeededError, match="1 machines have debian/2"):
        fleet.app.remove_rollout(TWO)


def test_taken_back_it_ends_when_the_last_was_seen_to_run_something_else(fleet: Fleet) -> None:
    fleet.start(Terms((Wave("all", 100, gate=NO_SOAK),)))
    fleet.round()
    fleet.round()
    assert fleet.state() is R.COMPLETE
    fleet.app.take_rollout_back(TWO)
    assert fleet.round(3) == ["1", "1", "1", "2"]
    fleet.round(3)
    assert fleet.state() is R.TAKING_BACK, "one is offline, and still has it"
    assert fleet.states()["pc3"] is S.WITHDRAWN
    fleet.computers[3].check_in()
    fleet.computers[3].check_in()
    assert fleet.state() is R.TAKEN_BACK
    assert set(fleet.states().values()) == {S.RETURNED}
    fleet.app.remove_rollout(TWO)
    assert fleet.round() == ["1", "1", "1", "1"]


def test_what_is_withdrawn_from_the_farm_is_taken_back_by_itself(fleet: Fleet) -> None:
    fleet.start(Terms((Wave("all", 100),)))
    fleet.round()
    fleet.app.retire_version(VersionName.parse("debian/2"))
    assert fleet.round() == ["1", "1", "1", "1"]
    fleet.farm.wait(61)
    fleet.round()
    assert fleet.state() is R.TAKEN_BACK


def test_a_complete_rollout_is_forgotten_once_its_version_is_everybodys(fleet: Fleet) -> None:
    fleet.start(Terms((Wave("all", 100, gate=NO_SOAK),)))
    with pytest.raises(RolloutNotOverError):
        fleet.app.remove_rollout(TWO)
    fleet.round()
    fleet.round()
    with pytest.raises(RolloutStillNeededError):
        fleet.app.remove_rollout(TWO)
    fleet.app.promote_version(PromotionRequest(VersionName.parse("debian/2"), Access.PRODUCTION))
    fleet.farm.report(fleet.server, holds=(fleet.farm.version("debian/2"),))
    fleet.app.remove_rollout(TWO)
    assert fleet.round() == ["2", "2", "2", "2"]


def test_who_has_the_staged_version_is_in_no_wave(fleet: Fleet) -> None:
    fleet.computers[0].assign("debian", staged=True)
    assert fleet.round() == ["2", "1", "1", "1"]
    with pytest.raises(WavesInvalidError, match="names 'pc0', which has no machine"):
        fleet.start()
    fleet.start(Terms((Wave("all", 100),)))
    assert "pc0" not in fleet.states()
    fleet.app.pause_rollout(TWO)
    assert fleet.round() == ["2", "1", "1", "1"]


def test_who_comes_later_joins_the_last_wave(fleet: Fleet) -> None:
    fleet.start()
    late = fleet.join("pc9")
    assert late.version == "debian/1"
    assert fleet.states()["pc9"] is S.WAITING
    fleet.computers.append(late)
    fleet.round()
    fleet.round()
    assert late.version == "debian/2"


def test_who_leaves_holds_nobody_up(fleet: Fleet) -> None:
    fleet.start(
        Terms((Wave("test", ring=frozenset({"pc0", "pc1"}), gate=NO_SOAK), Wave("all", 100)))
    )
    fleet.computers[0].check_in()
    fleet.computers[0].check_in()
    assert fleet.round(0, 1) == ["2", "1", "1", "1"]
    fleet.app.unassign_image(DEBIAN, [user_name("user-of-pc1")])
    del fleet.computers[1]
    fleet.farm.wait(61)
    assert fleet.round() == ["2", "2", "2"]
    assert fleet.states()["pc1"] is S.GONE


def test_a_user_who_is_gone_breaks_no_check_in(fleet: Fleet) -> None:
    fleet.start(Terms((Wave("all", 100),)))
    fleet.round()
    with fleet.farm.ports.transactions.writing() as records:
        _drop_users(records, fleet.computers[0])
    fleet.computers[0].has.clear()
    fleet.computers[0].stays = True
    assert fleet.computers[0].check_in().orders.machines == ()
    fleet.farm.wait(61)
    fleet.computers[1].check_in()
    assert fleet.states()["pc0"] is S.GONE


def _drop_users(records: Records, computer: Computer) -> None:
    seen_ = records.computers.with_id(computer.id)
    records.computers.change(seen_, replace(seen_, users=frozenset()))
    records.users.remove(records.users.get(user_name(computer.user)).id)


def test_an_engine_that_cannot_run_it_is_offered_nothing_and_says_why(fleet: Fleet) -> None:
    """S3, S7, S8: blocked by a fact, with what ran before, and released by itself."""
    with fleet.farm.ports.transactions.writing() as records:
        version = records.versions.get(VersionName.parse("debian/2"))
        records.versions.move(version, replace(version, image_format=2, published_with="5.0"))
    fleet.start(Terms((Wave("all", 100, gate=NO_SOAK),)))
    fleet.computers[1].engine = SeenEngine("5.0", "x86_64", (1, 2))
    assert fleet.round() == ["1", "2", "1", "1"]
    blocked = {one.computer: one.why_not for one in fleet.show().members}["pc0"]
    assert blocked is not None
    assert (blocked.why, blocked.fact and blocked.fact.fact) == (
        WhyNot.FORBIDDEN,
        "engine-1.0.0/runs-image-formats",
    )
    # Without a rollout it is the same fact, and the machine keeps what it has.
    fleet.app.take_rollout_back(TWO)
    fleet.round()
    fleet.round()
    fleet.app.remove_rollout(TWO)
    fleet.app.promote_version(PromotionRequest(VersionName.parse("debian/2"), Access.PRODUCTION))
    fleet.farm.report(fleet.server, holds=(fleet.farm.version("debian/2"),))
    assert fleet.round() == ["1", "2", "1", "1"]
    views = fleet.app.list_computer_images(computer_name("pc0"))
    assert views[0].difference is not None
    assert (views[0].difference.why, views[0].difference.code) == (
        Why.BLOCKED,
        "engine-1.0.0/runs-image-formats",
    )
    fleet.computers[0].engine = SeenEngine("5.0", "x86_64", (1, 2))
    fleet.computers[0].check_in()
    assert fleet.computers[0].version == "debian/2"


def test_what_cannot_be_rolled_out_is_refused(fleet: Fleet) -> None:
    released = RolloutRequest(TWO, VersionName.parse("debian/1"))
    with pytest.raises(OfferingInvalidError, match="it is in production"):
        fleet.app.start_rollout(released)
    fleet.start()
    with pytest.raises(RolloutBusyError, match="'two' of the same image or component is running"):
        fleet.app.start_rollout(RolloutRequest(rollout_name("x"), VersionName.parse("debian/2")))
    fleet.app.stop_rollout(TWO)
    with pytest.raises(RolloutNameTakenError):
        fleet.start()
    with pytest.raises(RolloutChangedError):
        fleet.app.take_rollout_back(TWO, revision=1)


def test_nothing_is_rolled_out_that_could_not_be_taken_back(farm: FarmInMemory) -> None:
    farm.add_server("s1")
    path = Path("/disks/debian")
    farm.ports.files[path] = disk(1)
    farm.application.import_image(ImportRequest(DEBIAN, path, to=Access.TEST), Progress())
    request = RolloutRequest(TWO, VersionName.parse("debian/1"))
    with pytest.raises(NoWayBackError, match="no other version that is released"):
        farm.application.start_rollout(request)


def test_a_plan_changes_nothing(fleet: Fleet) -> None:
    request = RolloutRequest(TWO, VersionName.parse("debian/2"))
    planned = fleet.app.start_rollout.planned(request)
    assert [one.wave for one in planned.course.members].count(0) == 1
    assert len(planned.machines) == 4
    assert fleet.app.list_rollouts() == []
    assert fleet.round() == ["1", "1", "1", "1"]


FIVE, FOUR = item_name("engine-5.0"), item_name("engine-4.5")


def imported(fleet: Fleet, release: str, **facts: object) -> None:
    """Have a kit of the engine in the library."""
    path = Path(f"/import/{release}")
    manifest = json.loads(json.dumps({**ENGINE_RELEASE, "release": release, **facts}))
    fleet.farm.ports.files[path] = kit(release=manifest)
    fleet.app.import_into_library(LibraryRequest(path, ItemKind.KIT), Progress())


@pytest.fixture
def kits(farm: FarmInMemory) -> Fleet:
    fleet = Fleet(farm, 3)
    fleet.app.trust_publisher(publisher_name("acme"), Signer().public_key)
    imported(fleet, "4.5")
    imported(fleet, "5.0", upgrades={"oldest": "1.0", "back_to": "4.5"})
    return fleet


def engines(fleet: Fleet) -> list[str]:
    for computer in fleet.computers:
        computer.check_in()
    return [computer.kit.release for computer in fleet.computers]


def test_a_kit_is_given_to_computers_from_either_side(kits: Fleet) -> None:
    """S25 to S28, S69 to S74."""
    pc0 = computer_name("pc0")
    kits.app.assign_kit(FOUR, [pc0])
    assert engines(kits) == ["4.5", "1.0.0", "1.0.0"]
    kits.computers[0].check_in()
    told = kits.computers[0].told
    assert told is not None
    assert told.orders.kit is not None
    assert told.orders.kit.root in told.orders.roots
    column = {one.computer.name: one.upgrade.upgrade for one in kits.app.list_kit_computers(FOUR)}
    assert column == {"pc0": Upgrade.CURRENT, "pc1": Upgrade.NONE, "pc2": Upgrade.NONE}
    kits.app.assign_kit(FIVE, [pc0])
    beside = {one.item.name: one.upgrade.upgrade for one in kits.app.list_computer_kits(pc0)}
    assert beside == {"engine-4.5": Upgrade.NONE, "engine-5.0": Upgrade.PENDING}
    kits.computers[0].stays = True
    kits.computers[0].kit = SeenKit("4.5", KitState.DOWNLOADING, "5.0", done_bytes=1, total_bytes=4)
    kits.computers[0].check_in()
    (view, *_) = kits.app.list_kit_computers(FIVE)
    assert (view.upgrade.upgrade, view.upgrade.detail) == (Upgrade.SIGNALLED, "downloading")
    for state, upgrade in (
        (KitState.INSTALLED, Upgrade.INSTALLED),
        (KitState.FAILED, Upgrade.FAILED),
        (KitState.WENT_BACK, Upgrade.WENT_BACK),
    ):
        kits.computers[0].kit = SeenKit("4.5", state, "5.0", code="no-room")
        kits.computers[0].check_in()
        (view, *_) = kits.app.list_kit_computers(FIVE)
        assert (view.upgrade.upgrade, view.upgrade.code) == (upgrade, "no-room")
    kits.app.retry_kit(FIVE, pc0)
    (view, *_) = kits.app.list_kit_computers(FIVE)
    assert view.upgrade.upgrade is Upgrade.PENDING, "it has not heard that it should try again"
    kits.app.unassign_kit(FIVE, [pc0])
    assert kits.computers[0].check_in().orders.kit is None


def test_what_is_given_to_somebody_stays_in_the_library(kits: Fleet) -> None:
    kits.app.assign_kit(FIVE, [computer_name("pc0")])
    with pytest.raises(ItemInUseError, match="given to pc0"):
        kits.app.remove_library_item(FIVE)
    kits.app.unassign_kit(FIVE, [computer_name("pc0")])
    kits.app.remove_library_item(FIVE)


def test_a_kit_that_an_engine_could_not_follow_is_refused_with_the_fact(kits: Fleet) -> None:
    imported(kits, "6.0", upgrades={"oldest": "5.0", "barrier": True, "because": "new disks"})
    six = item_name("engine-6.0")
    with pytest.raises(KitForbiddenError, match=r"engine-6\.0/upgrades"):
        kits.app.assign_kit(six, [computer_name("pc0")])
    with kits.farm.ports.transactions.writing() as records:
        seen_ = records.library_items.get(FIVE)
        records.library_items.change(seen_, replace(seen_, state=type(seen_.state)("failed")))
    with pytest.raises(ItemNotAvailableError):
        kits.app.assign_kit(FIVE, [computer_name("pc0")])


def test_a_kit_is_rolled_out_and_taken_back(kits: Fleet) -> None:
    """S12, S57: by waves, to all; and back to the kit before."""
    kits.app.start_rollout(RolloutRequest(TWO, FIVE, RING))
    assert engines(kits) == ["5.0", "1.0.0", "1.0.0"]
    assert engines(kits) == ["5.0", "5.0", "5.0"]
    engines(kits)
    assert kits.state() is R.COMPLETE
    assert {one.user for one in kits.show().members} == {""}
    with pytest.raises(ItemInUseError, match="rollout two"):
        kits.app.remove_library_item(FIVE)
    kits.app.take_rollout_back(TWO)
    assert engines(kits) == ["4.5", "4.5", "4.5"]
    engines(kits)
    assert kits.state() is R.TAKEN_BACK
    kits.app.remove_rollout(TWO)
    kits.app.remove_library_item(FIVE)


def test_a_kit_without_a_way_back_is_not_rolled_out(kits: Fleet) -> None:
    imported(kits, "7.0")
    with pytest.raises(NoWayBackError, match="back_to"):
        kits.app.start_rollout(RolloutRequest(TWO, item_name("engine-7.0")))


def on_sqlite(folder: Path, count: int) -> tuple[Fleet, SqlTransactions]:
    sql = SqlTransactions(sqlite_with_tables(folder / f"farm-{count}.db"))
    fleet = Fleet(FarmInMemory(MemoryPorts(transactions=sql)), count)
    fleet.publish(disk(2), Access.TEST)
    return fleet, sql


def test_a_database_remembers_what_a_rollout_needs(tmp_path: Path) -> None:
    fleet, sql = on_sqlite(tmp_path, 3)
    fleet.start()
    for _ in range(3):
        fleet.round()
    assert fleet.state() is R.COMPLETE
    fleet.computers[2].goes_back("debian/1")
    fleet.computers[2].stays = True
    fleet.round()
    assert fleet.state() is R.HALTED
    assert fleet.states()["pc2"] is S.WENT_BACK
    fleet.app.take_rollout_back(TWO)
    fleet.computers[2].stays = False
    fleet.round()
    fleet.round()
    assert fleet.state() is R.TAKEN_BACK
    sql.close()


def test_a_check_in_costs_the_same_however_large_the_rollout_is(tmp_path: Path) -> None:
    costs = []
    for count in (3, 12):
        fleet, sql = on_sqlite(tmp_path, count)
        fleet.start()
        fleet.computers[-1].check_in()
        with counted() as waiting:
            fleet.computers[-1].check_in()
        with counted() as offered:
            fleet.computers[0].check_in()
        with counted() as proven:
            fleet.computers[0].check_in()
        costs.append((len(waiting), len(offered), len(proven)))
        sql.close()
    assert costs[0] == costs[1]
