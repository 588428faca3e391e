"""An upgrade of the farm is carried out, paused, gone back from and finalised, by whoever looks."""

from dataclasses import replace
from datetime import timedelta

import pytest
from tests.farm_in_memory import FarmInMemory
from tests.unit.farm.application.test_check_upgrade import FARM, FIVE
from tests.unit.farm.application.upgrading import OLD, UpgradableFarm

from corral.farm.application.advance_upgrade import left_undone
from corral.farm.application.look_at_upgrade import UpgradeLook
from corral.farm.application.ports.records import Records
from corral.farm.application.start_upgrade import UpgradeRequest
from corral.farm.domain.access.audit import AuditFilter
from corral.farm.domain.estate.errors import FarmDatabaseError
from corral.farm.domain.estate.server import server_name
from corral.farm.domain.library.errors import ItemInUseError
from corral.farm.domain.library.item import item_name
from corral.farm.domain.library.release import Release
from corral.farm.domain.task.worker import Worker
from corral.farm.domain.upgrade.blueprint import StepKind, UpgradeNumber
from corral.farm.domain.upgrade.errors import (
    AcceptanceUnknownError,
    ConsolesTooOldError,
    NoUpgradeUnderWayError,
    RiskInvalidError,
    UpgradeChangedError,
    UpgradeHinderedError,
    UpgradeTransitionError,
    UpgradeUnderWayError,
)
from corral.farm.domain.upgrade.inventory import SeenConsole
from corral.farm.domain.upgrade.plan import Plan
from corral.farm.domain.upgrade.state import TRANSITIONS

REQUEST = UpgradeRequest(FIVE, soak=timedelta(seconds=5))
MOVES = {(before.value, after.value) for (before, _), after in TRANSITIONS.items()}


@pytest.fixture
def upgradable(farm: FarmInMemory) -> UpgradableFarm:
    return UpgradableFarm(farm)


def test_servers_are_taken_one_after_the_other_while_devices_stream(
    upgradable: UpgradableFarm,
) -> None:
    devices = [upgradable.stream(f"pc{number}", "s1") for number in (1, 2)]
    upgradable.app.start_upgrade(REQUEST)
    taken = upgradable.until(lambda: upgradable.state == "awaiting-finalise")
    assert upgradable.running == ["5.0"] * 3
    assert taken[:4] == ["install s1", "install s2", "install s3", "expand"]
    for name in ("s1", "s2", "s3"):
        steps = [one.partition(" ")[0] for one in taken if one.endswith(name)]
        assert steps == ["install", "drain", "switch", "canary", "serve"]
    # One at a time: what follows a drain is about the same server until it serves again.
    disturbed = [one for one in taken if one.partition(" ")[0] not in {"install", "expand"}]
    names = [one.partition(" ")[2] for one in disturbed]
    assert all(len(set(names[at : at + 4])) == 1 for at in range(0, len(names), 4))
    assert set(upgradable.devices) == set(devices)
    assert upgradable.farm.ports.schema.seen.revision == "0002"
    assert sorted(upgradable.farm.ports.canary_reader.read_through) == ["s1", "s2", "s3"]


def test_nothing_is_taken_away_before_it_is_finalised(upgradable: UpgradableFarm) -> None:
    upgradable.app.start_upgrade(REQUEST)
    with pytest.raises(UpgradeTransitionError):
        upgradable.app.finalise_upgrade()
    upgradable.until(lambda: upgradable.state == "awaiting-finalise")
    for _ in range(10):
        upgradable.turn()
    assert upgradable.farm.ports.schema.seen.revision == "0002"
    upgradable.app.finalise_upgrade()
    assert upgradable.until(lambda: upgradable.state == "done") == ["contract"]
    assert upgradable.farm.ports.schema.seen.revision == "0003"
    # Whoever follows it sees its end.
    ended = upgradable.app.show_upgrade()
    assert (ended.look.upgrade.state, ended.plan) == ("done", Plan())
    assert ended.look.history[-1].step.kind == "contract"
    with pytest.raises(NoUpgradeUnderWayError):
        upgradable.app.roll_upgrade_back("too late")


def test_nobody_finalises_over_the_head_of_who_works_with_an_older_command_line(
    upgradable: UpgradableFarm,
) -> None:
    six = item_name("farm-6.0")
    upgradable.ready.take_in("six", {**FARM, "release": "6.0", "oldest_console": "6.0"})
    programs = upgradable.farm.ports.release_programs
    programs.known["6.0"] = programs.known["5.0"]
    upgradable.look()
    upgradable.ready.back_up("6.0")
    seen(upgradable, "bob@lab", OLD, timedelta(days=6))
    seen(upgradable, "eve@attic", OLD, timedelta(days=8))
    upgradable.app.start_upgrade(UpgradeRequest(six, timedelta(seconds=3)))
    upgradable.until(lambda: upgradable.running == ["6.0"] * 3)
    for _ in range(10):
        upgradable.turn()
    (held,) = upgradable.app.show_upgrade().plan.blocked
    assert held.risk == "consoles-behind console bob@lab"
    seen(upgradable, "bob@lab", "6.0")
    upgradable.until(lambda: upgradable.state == "awaiting-finalise")
    # Whoever comes back after that is found, too.
    seen(upgradable, "eve@attic", OLD)
    with pytest.raises(ConsolesTooOldError, match=r"eve@attic: it is 0\.1\.0"):
        upgradable.app.finalise_upgrade()
    assert upgradable.state == "awaiting-finalise"
    until = upgradable.farm.ports.clock.now() + timedelta(hours=1)
    upgradable.app.accept_risk("consoles-behind console eve@attic", until, "she has left")
    upgradable.app.finalise_upgrade()
    assert upgradable.until(lambda: upgradable.state == "done") == ["contract"]


def say(farm: UpgradableFarm, worker: str, left: str) -> None:
    now = farm.farm.ports.clock.now()
    with farm.farm.ports.transactions.writing() as records:
        records.workers.put(Worker(worker, None, now, left_step=left))


def test_status_says_that_nobody_has_the_programs_of_the_release(
    upgradable: UpgradableFarm,
) -> None:
    programs = upgradable.farm.ports.release_programs
    new = programs.known.pop("5.0")
    upgradable.app.start_upgrade(REQUEST)
    left = [one for one in (upgradable.turn() for _ in range(20)) if one is not None]
    assert left[-1].is_left
    say(upgradable, "w1", "expand")
    assert "(w1) has the programs of 5.0" in upgradable.app.show_upgrade().untaken
    programs.known["5.0"] = new
    upgradable.until(lambda: upgradable.running == ["5.0"] * 3)


def seen(farm: UpgradableFarm, who: str, release: str, ago: timedelta = timedelta()) -> None:
    when = farm.farm.ports.clock.now() - ago
    with farm.farm.ports.transactions.writing() as records:
        records.consoles.put(SeenConsole(who, Release.parse(release), when))


def test_a_release_that_does_not_start_pauses_it_and_everything_goes_back(
    upgradable: UpgradableFarm,
) -> None:
    upgradable.machines["s2"].spoils = "5.0"
    upgradable.stream("pc1", "s2")
    first = (server_name("s1"), server_name("s2"))
    upgradable.app.start_upgrade(UpgradeRequest(FIVE, first=first))
    upgradable.until(lambda: upgradable.state == "paused")
    assert upgradable.running == ["5.0", OLD, OLD]
    (upgrade,) = upgradable.app.list_upgrades()
    assert "s2" in upgrade.why
    assert "5.0 does not start" in upgrade.why
    upgradable.app.roll_upgrade_back("it does not start on s2")
    upgradable.until(lambda: upgradable.state == "rolled-back")
    assert upgradable.running == [OLD] * 3
    assert not any(one.server.draining for one in upgradable.app.list_servers())
    # The schema stays as it is: what was added is in nobody's way, and the next one finds it.
    assert upgradable.farm.ports.schema.seen.revision == "0002"
    upgradable.machines["s2"].spoils = ""
    upgradable.app.start_upgrade(REQUEST)
    upgradable.until(lambda: upgradable.state == "awaiting-finalise")
    assert upgradable.running == ["5.0"] * 3


def test_what_failed_is_tried_again_when_somebody_says_so(upgradable: UpgradableFarm) -> None:
    upgradable.machines["s1"].spoils = "5.0"
    upgradable.app.start_upgrade(UpgradeRequest(FIVE, first=(server_name("s1"),)))
    upgradable.until(lambda: upgradable.state == "paused")
    for _ in range(10):
        assert upgradable.turn() is not None
    assert upgradable.state == "paused"
    upgradable.machines["s1"].spoils = ""
    upgradable.app.resume_upgrade()
    upgradable.until(lambda: upgradable.running == ["5.0"] * 3)


def test_a_canary_that_reads_something_wrong_pauses_it(upgradable: UpgradableFarm) -> None:
    upgradable.farm.ports.canary_reader.problems["s2"] = "root is not what it should be"
    upgradable.app.start_upgrade(UpgradeRequest(FIVE, first=(server_name("s2"),)))
    upgradable.until(lambda: upgradable.state == "paused")
    assert "root is not what it should be" in upgradable.app.list_upgrades()[-1].why
    assert {one.server.name for one in upgradable.app.list_servers() if one.server.draining} == {
        "s2"
    }
    del upgradable.farm.ports.canary_reader.problems["s2"]
    upgradable.app.resume_upgrade()
    upgradable.until(lambda: upgradable.running == ["5.0"] * 3)


def test_a_paused_one_takes_no_step(upgradable: UpgradableFarm) -> None:
    upgradable.app.start_upgrade(REQUEST)
    upgradable.until(lambda: "5.0" in upgradable.running)
    paused = upgradable.app.pause_upgrade("dinner")
    taken = len(upgradable.app.show_upgrade().look.history)
    for _ in range(20):
        upgradable.turn()
    assert len(upgradable.app.show_upgrade().look.history) == taken
    with pytest.raises(UpgradeChangedError):
        upgradable.app.resume_upgrade(revision=paused.revision - 1)
    upgradable.app.resume_upgrade(revision=paused.revision)
    upgradable.until(lambda: upgradable.state == "awaiting-finalise")


def test_a_server_that_is_lost_is_waited_for_and_none_is_drained_meanwhile(
    upgradable: UpgradableFarm,
) -> None:
    upgradable.app.start_upgrade(UpgradeRequest(FIVE, first=(server_name("s1"),)))
    upgradable.until(lambda: upgradable.running[0] == "5.0")
    upgradable.machines["s3"].is_dead = True
    upgradable.farm.wait(6)
    upgradable.look()
    for _ in range(40):
        upgradable.turn()
    assert upgradable.running[1:] == [OLD, OLD]
    assert any(
        one.risk == "server-silent server s3" for one in upgradable.app.show_upgrade().plan.blocked
    )
    upgradable.machines["s3"].is_dead = False
    upgradable.until(lambda: upgradable.running == ["5.0"] * 3)


def test_two_workers_adopt_each_step_once(upgradable: UpgradableFarm) -> None:
    upgradable.app.start_upgrade(REQUEST)
    for _ in range(60):
        upgradable.turn()
        upgradable.app.advance_upgrade("worker w2")
    history = upgradable.app.show_upgrade().look.history
    assert [one.generation for one in history] == list(range(1, len(history) + 1))
    assert [one.parent for one in history] == list(range(len(history)))
    switches = [one.step.server for one in history if one.step.kind.value == "switch"]
    assert len(switches) == len(set(switches)) == 3


def test_the_audit_log_leads_to_the_state_that_the_upgrade_has(upgradable: UpgradableFarm) -> None:
    """S20: whatever moves it, a person or a worker, is told with its change, and nothing else."""
    upgradable.machines["s2"].spoils = "5.0"
    upgradable.app.start_upgrade(REQUEST)
    upgradable.until(lambda: upgradable.state == "paused")
    upgradable.machines["s2"].spoils = ""
    upgradable.app.resume_upgrade()
    upgradable.until(lambda: upgradable.state == "awaiting-finalise")
    upgradable.app.roll_upgrade_back("the printers do not print")
    upgradable.until(lambda: upgradable.state == "rolled-back")
    with upgradable.farm.ports.transactions.reading() as records:
        noted = records.audit.newest(AuditFilter(), 1000)
    states: list[object] = []
    for one in reversed(noted):
        entry = one.entry
        if entry.what == "upgrade.add" and entry.after is not None:
            states.append(entry.after["state"])
        if entry.what == "upgrade.change" and entry.after is not None and "state" in entry.after:
            assert entry.before is not None
            assert entry.before["state"] == states[-1]
            assert (states[-1], entry.after["state"]) in MOVES
            states.append(entry.after["state"])
    assert states == [
        *("running", "paused", "running", "awaiting-finalise", "rolling-back", "rolled-back")
    ]
    assert states[-1] == upgradable.state


def test_one_upgrade_at_a_time(upgradable: UpgradableFarm) -> None:
    upgradable.app.start_upgrade(REQUEST)
    with pytest.raises(UpgradeUnderWayError, match=r"upgrade 1 to 5\.0 is running"):
        upgradable.app.start_upgrade(REQUEST)


def test_it_does_not_begin_while_something_is_in_the_way(upgradable: UpgradableFarm) -> None:
    task = upgradable.app.start_task("heal", {"server": "s1"})
    with pytest.raises(UpgradeHinderedError, match=f"task-active \\(task {task.number}\\)"):
        upgradable.app.start_upgrade(REQUEST)
    assert upgradable.app.list_upgrades() == []


def test_a_risk_is_accepted_by_name_until_a_date(upgradable: UpgradableFarm) -> None:
    task = upgradable.app.start_task("heal", {"server": "s1"})
    now = upgradable.farm.ports.clock.now()
    risk = f"task-active task {task.number}"
    for until, because in (
        (now, "late"),
        (now + timedelta(days=91), "for ever"),
        (now + timedelta(days=1), " "),
    ):
        with pytest.raises(RiskInvalidError):
            upgradable.app.accept_risk(risk, until, because)
    with pytest.raises(RiskInvalidError):
        upgradable.app.accept_risk("everything", now + timedelta(days=1), "hurry")
    accepted = upgradable.app.accept_risk(risk, now + timedelta(minutes=5), "it only heals")
    check = upgradable.app.check_upgrade(FIVE)
    assert check.is_clear
    assert [said for _, said in check.accepted] == [accepted]
    upgradable.farm.wait(301)
    upgradable.look()
    assert not upgradable.app.check_upgrade(FIVE).is_clear
    assert upgradable.app.withdraw_acceptance(risk) == 1
    with pytest.raises(AcceptanceUnknownError):
        upgradable.app.withdraw_acceptance(risk)


def test_a_plan_tells_what_then_happens(upgradable: UpgradableFarm) -> None:
    told = upgradable.app.plan_upgrade(FIVE, (server_name("s2"),))
    assert told.startswith("Upgrade of the farm from 0.1.0 to 5.0")
    first = told.index("s2", told.index("expand" if "expand" in told else "Expand"))
    assert first
    by_hand = upgradable.app.plan_upgrade.by_hand(FIVE)
    assert "corral server drain s1" in by_hand
    assert "corral schema expand" in by_hand
    assert upgradable.app.plan_upgrade.script(FIVE) == "colours"


def test_kits_that_it_needs_stay_in_the_library(upgradable: UpgradableFarm) -> None:
    upgradable.app.start_upgrade(REQUEST)
    for kit in (FIVE, item_name("farm-0.1.0")):
        with pytest.raises(ItemInUseError, match="upgrade 1"):
            upgradable.app.remove_library_item(kit)
    upgradable.app.roll_upgrade_back("changed my mind")
    upgradable.until(lambda: upgradable.state == "rolled-back")
    assert upgradable.app.show_upgrade().look.upgrade.state == "rolled-back"
    upgradable.app.remove_library_item(FIVE)
    with pytest.raises(NoUpgradeUnderWayError):
        upgradable.app.show_upgrade()


def test_who_looked_before_somebody_resumed_does_not_pause_it_again(
    upgradable: UpgradableFarm, monkeypatch: pytest.MonkeyPatch
) -> None:
    upgradable.machines["s1"].spoils = "5.0"
    upgradable.app.start_upgrade(UpgradeRequest(FIVE, first=(server_name("s1"),)))
    upgradable.until(
        lambda: (
            upgradable.app.show_upgrade().look.history[-1:]
            and upgradable.app.show_upgrade().look.history[-1].step.kind.value == "switch"
        )
    )
    upgradable.farm.wait(1)
    upgradable.look()
    assert upgradable.machines["s1"].problem is not None
    upgradable.machines["s1"].spoils = ""
    looks = upgradable.app.advance_upgrade._look  # noqa: SLF001 - to come in between
    came: list[UpgradeLook | None] = []

    def look_and_be_overtaken(records: Records) -> UpgradeLook | None:
        look = looks(records)
        if not came:
            came.append(look)
            upgradable.app.pause_upgrade("seen by a person")
            upgradable.app.resume_upgrade()
        return look

    monkeypatch.setattr(upgradable.app.advance_upgrade, "_look", look_and_be_overtaken)
    upgradable.app.advance_upgrade("worker w1")
    assert came
    assert upgradable.state == "running"
    upgradable.until(lambda: upgradable.running == ["5.0"] * 3)


@pytest.mark.parametrize("kind", ["expand", "canary", "contract"])
def test_what_an_outage_kept_a_worker_from_doing_it_does_when_that_is_over(
    upgradable: UpgradableFarm, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Nobody has to come: the worker lives, so that no other takes the step from it."""
    ports = upgradable.farm.ports
    place, name = {
        "expand": (ports.release_programs, "expand"),
        "contract": (ports.release_programs, "contract"),
        "canary": (ports.canary_reader, "read"),
    }[kind]
    does, tries = getattr(place, name), []

    def fail_once(given: object) -> object:
        tries.append(given)
        if len(tries) == 1:
            raise FarmDatabaseError("it has gone away")
        return does(given)

    monkeypatch.setattr(place, name, fail_once)
    upgradable.app.start_upgrade(REQUEST)
    failures = 0

    def is_over() -> bool:
        if upgradable.state == "awaiting-finalise":
            upgradable.app.finalise_upgrade()
        return upgradable.state == "done"

    for _ in range(200):
        if is_over():
            break
        try:
            upgradable.turn()
        except FarmDatabaseError:
            failures += 1
    assert (upgradable.state, failures) == ("done", 1)
    with ports.transactions.reading() as records:
        steps = [one.step.kind.value for one in records.blueprints.of_upgrade(UpgradeNumber(1))]
    assert steps.count(kind) == (3 if kind == "canary" else 1), "no step is adopted for it anew"


def test_what_an_outage_kept_a_worker_from_waits_for_a_server_taken_down_meanwhile(
    upgradable: UpgradableFarm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S3: the release before could not work on the contracted schema."""
    ports = upgradable.farm.ports
    contract, tries = ports.release_programs.contract, []

    def fail_once(release: Release) -> None:
        tries.append(release)
        if len(tries) == 1:
            raise FarmDatabaseError("it has gone away")
        contract(release)

    monkeypatch.setattr(ports.release_programs, "contract", fail_once)
    upgradable.app.start_upgrade(REQUEST)
    upgradable.until(lambda: upgradable.state == "awaiting-finalise")
    upgradable.app.finalise_upgrade()
    with pytest.raises(FarmDatabaseError):
        upgradable.until(lambda: upgradable.state == "done")
    upgradable.machines["s2"].running = OLD
    upgradable.look()
    for _ in range(5):
        upgradable.turn()
    assert len(tries) == 1
    upgradable.machines["s2"].running = "5.0"
    upgradable.until(lambda: upgradable.state == "done")
    assert len(tries) == 2


def test_what_an_outage_kept_a_worker_from_is_not_done_after_a_restore(
    upgradable: UpgradableFarm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was begun with a backup, and servers, of another epoch: it is planned anew."""

    def fail(_: object) -> None:
        raise FarmDatabaseError("it has gone away")

    monkeypatch.setattr(upgradable.farm.ports.release_programs, "expand", fail)
    upgradable.app.start_upgrade(REQUEST)
    with pytest.raises(FarmDatabaseError):
        upgradable.until(lambda: False)
    with upgradable.farm.ports.transactions.reading() as records:
        look = upgradable.app.advance_upgrade._look(records)  # noqa: SLF001 - as a worker does
    assert look is not None
    (expand,) = (one for one in look.history if one.step.kind is StepKind.EXPAND)
    assert left_undone(look, expand.by) is expand
    restored = replace(look.inventory, epoch=look.inventory.epoch + 1)
    assert left_undone(replace(look, inventory=restored), expand.by) is None


def test_a_machine_without_the_client_leaves_the_canary_to_others(
    upgradable: UpgradableFarm,
) -> None:
    canary = upgradable.farm.ports.canary_reader
    canary.is_here = False
    upgradable.app.start_upgrade(REQUEST)
    upgradable.until(lambda: "5.0" in upgradable.running)
    looks = [upgradable.turn() for _ in range(5)]
    assert all(look is not None and look.adopted is None for look in looks[2:])
    assert all(look is not None and look.is_left for look in looks[2:])
    assert canary.read_through == []
    assert "no worker lives" in upgradable.app.show_upgrade().untaken
    say(upgradable, "w1", "canary")
    assert "(w1) has corral-target" in upgradable.app.show_upgrade().untaken
    # Of a worker that says nothing it is not known that it could not.
    say(upgradable, "w2", "")
    assert upgradable.app.show_upgrade().untaken == ""
    say(upgradable, "w2", "canary")
    assert "(w1, w2) has corral-target" in upgradable.app.show_upgrade().untaken
    canary.is_here = True
    upgradable.until(lambda: upgradable.running == ["5.0"] * 3)
