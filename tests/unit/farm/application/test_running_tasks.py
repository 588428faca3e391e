"""Tasks from the wish to the end, over the adapters in memory and an engine that does as told."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.farm_in_memory import FarmInMemory, disk

from corral.farm.adapters.memory.tasks import MemoryTaskEngine
from corral.farm.application.ports.records import Records
from corral.farm.application.progress import Amounts, Progress
from corral.farm.application.task_kinds import KINDS
from corral.farm.application.work_on_task import Ending, Finished, Stopped, made
from corral.farm.domain.access.actor import Actor, ActorKind
from corral.farm.domain.access.audit import AuditFilter
from corral.farm.domain.estate.errors import ServerUnknownError
from corral.farm.domain.image.image import image_name
from corral.farm.domain.task.engine import EngineState
from corral.farm.domain.task.errors import (
    ScheduleNotRunningError,
    ScheduleUnknownError,
    TaskArgumentsInvalidError,
    TaskKindUnknownError,
    TaskLostError,
    TaskUnknownError,
)
from corral.farm.domain.task.number import TaskNumber
from corral.farm.domain.task.rules import KEPT_FOR, TaskRulesChangedError, TaskRulesWish
from corral.farm.domain.task.schedule import Times, schedule_name
from corral.farm.domain.task.state import TaskState
from corral.farm.domain.task.task import Task, TaskKind, Wish
from corral.farm.domain.task.worker import SILENCE, Worker

ANNA = Actor(ActorKind.ACCOUNT, "anna")
DISK = Path("/disks/golden")


@dataclass
class Around:
    """What a worker lends."""

    task: Task
    progress: Progress = field(default_factory=Progress)
    lines: list[str] = field(default_factory=list)

    def wait(self, seconds: float) -> None:
        pass

    def say(self, text: str) -> None:
        self.lines.append(text)

    def made(self, records: Records, result: str) -> None:
        made(records, self.task.number, self.task.run, result)


class Tasks:
    """A farm with a store, a disk and an engine."""

    def __init__(self) -> None:
        self.farm = FarmInMemory()
        self.farm.add_server("s1")
        self.farm.ports.files[DISK] = disk(1, 2, 3)
        self.engine = MemoryTaskEngine()
        self.verbs = self.farm.application.acting_as(ANNA)
        self.steady = 0.0

    def start(self, image: str = "debian") -> Task:
        return self.verbs.start_task("import", {"image": image, "path": str(DISK)})

    def dispatch(self, seconds: float = 1) -> None:
        self.farm.wait(seconds)
        self.steady += seconds
        worker = Worker("w1", None, self.farm.ports.clock.now())
        self.verbs.dispatch_tasks(self.engine, worker, self.steady)

    def claim(self, worker: str = "w1") -> Task | None:
        taken = self.engine.take()
        return None if taken is None else self.verbs.claim_task(*taken, worker)

    def run(self, task: Task) -> Ending:
        return self.verbs.run_task(task, Around(task))

    def end(self, task: Task, ending: Ending) -> Task:
        self.engine.runs[task.number, task.run] = EngineState.ENDED
        return self.verbs.end_task(task.number, task.run, ending, Amounts())

    def now(self, number: int = 1) -> Task:
        return self.verbs.show_task(TaskNumber(number)).view.task

    def state(self, number: int = 1) -> TaskState:
        return self.now(number).state

    def versions(self) -> list[str]:
        return [str(v.version.name) for i in self.verbs.list_images() for v in i.versions]


@pytest.fixture
def tasks() -> Tasks:
    return Tasks()


def claimed(tasks: Tasks) -> Task:
    tasks.start()
    tasks.dispatch()
    task = tasks.claim()
    assert task is not None
    return task


def test_import_from_the_wish_to_the_version(tasks: Tasks) -> None:
    task = claimed(tasks)
    assert tasks.state() is TaskState.RUNNING
    ended = tasks.end(task, tasks.run(task))
    assert ended.state is TaskState.DONE
    assert ended.result == "published debian/1"
    assert tasks.versions() == ["debian/1"]
    log = [line.text for line in tasks.verbs.show_task(task.number).log]
    assert log == ["asked for by account anna", "run 1 began on w1", "done: published debian/1"]


def test_a_task_imports_for_whom_it_was_told(tasks: Tasks) -> None:
    arguments = {"image": "debian", "path": str(DISK), "to": "test"}
    tasks.verbs.start_task("import", arguments)
    tasks.dispatch()
    task = tasks.claim()
    assert task is not None
    tasks.run(task)
    (image,) = tasks.verbs.list_images()
    assert [view.version.standing for view in image.versions] == ["test"]


def test_wrong_wishes_are_refused_at_once(tasks: Tasks) -> None:
    with pytest.raises(TaskKindUnknownError):
        tasks.verbs.start_task("dance", {})
    for arguments in (
        {"image": "debian"},
        {"image": "debian", "path": "relative"},
        {"image": "debian", "path": str(DISK), "password": "x"},
        {"image": "debian", "path": str(DISK), "new": "yes"},
        {"image": "debian", "path": str(DISK), "format": "tape"},
        {"image": "debian", "path": str(DISK), "to": "everybody"},
    ):
        with pytest.raises(TaskArgumentsInvalidError):
            tasks.verbs.start_task("import", arguments)
    with pytest.raises(ServerUnknownError):
        tasks.verbs.start_task("verify", {"server": "s9"})
    assert tasks.verbs.list_tasks() == ()


def test_every_kind_says_what_cancelling_leaves_and_keeps_no_secret() -> None:
    assert set(KINDS) == set(TaskKind)
    for rules in KINDS.values():
        assert rules.cancel_leaves
        assert rules.must_have <= len(rules.takes)
        assert not {"password", "key", "token", "ticket", "secret"} & set(rules.takes)


def test_one_run_is_claimed_once(tasks: Tasks) -> None:
    task = claimed(tasks)
    assert tasks.verbs.claim_task(task.number, task.run, "w2") is None
    assert tasks.now().worker == "w1"


def test_tasks_of_a_killed_worker_go_on_elsewhere_and_publish_once(tasks: Tasks) -> None:
    first = claimed(tasks)
    zombie = Around(first)
    tasks.dispatch()
    tasks.dispatch(SILENCE.total_seconds())
    assert tasks.state() is TaskState.QUEUED
    assert "w1 has not been heard of" in tasks.now().waiting
    assert tasks.engine.runs[first.number, 1] is EngineState.WITHDRAWN
    tasks.dispatch()
    second = tasks.claim("w2")
    assert second is not None
    assert second.run == 2
    # The first one was only slow: what it does now does not count.
    with pytest.raises(TaskLostError):
        tasks.verbs.run_task(first, zombie)
    assert tasks.versions() == []
    with pytest.raises(TaskLostError):
        tasks.verbs.keep_task(first.number, first.run, Amounts())
    tasks.end(second, tasks.run(second))
    assert tasks.versions() == ["debian/1"]


def test_what_was_published_is_not_published_again(tasks: Tasks) -> None:
    first = claimed(tasks)
    tasks.run(first)  # and is killed before it can say so
    assert tasks.versions() == ["debian/1"]
    tasks.farm.ports.files[DISK] = disk(4)
    tasks.dispatch()
    tasks.dispatch(SILENCE.total_seconds())
    tasks.dispatch()
    second = tasks.claim("w2")
    assert second is not None
    assert tasks.end(second, tasks.run(second)).result == "published debian/1"
    assert tasks.versions() == ["debian/1"]


def test_signs_of_life_keep_a_task(tasks: Tasks) -> None:
    task = claimed(tasks)
    for _ in range(5):
        tasks.dispatch(SILENCE.total_seconds() - 1)
        tasks.verbs.keep_task(task.number, task.run, Amounts(100, 10))
    assert tasks.state() is TaskState.RUNNING
    assert tasks.now().progress.done_bytes == 10


def test_pause_keeps_a_task_active_however_long(tasks: Tasks) -> None:
    task = claimed(tasks)
    tasks.verbs.pause_task(task.number)
    assert tasks.verbs.keep_task(task.number, task.run, Amounts()) is Wish.PAUSE
    tasks.end(task, Stopped())
    assert tasks.state() is TaskState.PAUSED
    for _ in range(30):
        other = tasks.verbs.start_task("verify", {"server": "s1"})
        tasks.verbs.cancel_task(other.number)
    tasks.farm.wait(400 * 24 * 3600)
    assert TaskState.PAUSED in {view.task.state for view in tasks.verbs.list_tasks(ended=5)}
    tasks.verbs.resume_task(task.number)
    tasks.dispatch()
    again = tasks.claim()
    assert again is not None
    tasks.end(again, tasks.run(again))
    assert tasks.versions() == ["debian/1"]


def test_cancelled_import_leaves_no_version(tasks: Tasks) -> None:
    task = claimed(tasks)
    around = Around(task)
    tasks.verbs.cancel_task(task.number)
    assert tasks.verbs.keep_task(task.number, task.run, Amounts()) is Wish.CANCEL
    around.progress.cancel()
    ending = tasks.verbs.run_task(task, around)
    assert ending == Stopped()
    tasks.end(task, ending)
    assert tasks.state() is TaskState.CANCELLED
    assert tasks.versions() == []


def test_queued_task_is_cancelled_at_once_and_never_begins(tasks: Tasks) -> None:
    tasks.start()
    tasks.dispatch()
    tasks.verbs.cancel_task(TaskNumber(1))
    assert tasks.claim() is None
    assert tasks.state() is TaskState.CANCELLED
    tasks.verbs.retry_task(TaskNumber(1))
    tasks.dispatch()
    again = tasks.claim()
    assert again is not None
    tasks.end(again, tasks.run(again))
    assert tasks.state() is TaskState.DONE


def test_stopped_worker_hands_its_tasks_back(tasks: Tasks) -> None:
    task = claimed(tasks)
    assert tasks.end(task, Stopped()).state is TaskState.QUEUED
    tasks.dispatch()
    again = tasks.claim("w2")
    assert again is not None
    assert again.run == 2


def test_busy_image_puts_a_task_off_with_the_reason(tasks: Tasks) -> None:
    with tasks.farm.ports.image_locks.hold(image_name("debian")):
        task = claimed(tasks)
        after = tasks.end(task, tasks.run(task))
        assert after.state is TaskState.QUEUED
        assert "importing into or deleting from image" in after.waiting
        tasks.dispatch()
        assert tasks.claim() is None, "it is tried again after some seconds, not at once"
    tasks.dispatch(10)
    again = tasks.claim()
    assert again is not None
    tasks.end(again, tasks.run(again))
    assert tasks.state() is TaskState.DONE


def test_failure_keeps_its_cause(tasks: Tasks) -> None:
    del tasks.farm.ports.files[DISK]
    task = claimed(tasks)
    after = tasks.end(task, tasks.run(task))
    assert after.state is TaskState.FAILED
    assert after.failure is not None
    assert after.failure.code == "disk-unreadable"
    assert str(DISK) in after.failure.message


def test_limits_hold_and_the_next_one_follows(tasks: Tasks) -> None:
    tasks.start("debian")
    tasks.start("ubuntu")
    tasks.dispatch()
    first = tasks.claim()
    assert first is not None
    assert tasks.claim() is None
    tasks.dispatch()
    assert "task 1 of the same kind runs on s1" in tasks.now(2).waiting
    tasks.end(first, tasks.run(first))
    tasks.dispatch()
    second = tasks.claim()
    assert second is not None
    assert second.number == 2


def test_limit_that_is_reached_in_between_is_seen_by_the_claim(tasks: Tasks) -> None:
    tasks.start("debian")
    tasks.dispatch()
    tasks.verbs.begin_task("import", {"image": "x", "path": str(DISK)}, "pc1-7")
    assert tasks.claim() is None
    assert tasks.state() is TaskState.QUEUED
    assert tasks.now().run == 2


def test_task_waits_with_the_reason_where_no_worker_reaches_its_server(tasks: Tasks) -> None:
    tasks.farm.add_server("s2")
    task = tasks.verbs.start_task("verify", {"server": "s2"})
    assert "no worker runs" in tasks.verbs.show_task(task.number).view.waiting
    server = tasks.farm.application.list_servers()[0].server.name
    worker = Worker("w1", (server,), tasks.farm.ports.clock.now())
    tasks.verbs.dispatch_tasks(tasks.engine, worker, 0)
    assert "no worker reaches the store of s2" in tasks.verbs.show_task(task.number).view.waiting


def test_what_the_engine_lost_is_handed_over_again(tasks: Tasks) -> None:
    tasks.start()
    tasks.dispatch()
    tasks.engine.runs.clear()
    tasks.dispatch()
    assert tasks.engine.runs == {(1, 1): EngineState.WAITING}
    tasks.engine.runs[TaskNumber(1), 1] = EngineState.ENDED
    tasks.dispatch()
    tasks.dispatch()
    assert tasks.engine.runs[TaskNumber(1), 2] is EngineState.WAITING
    tasks.engine.runs[TaskNumber(1), 2] = EngineState.GIVEN_UP
    tasks.dispatch()
    assert tasks.state() is TaskState.FAILED


def test_replication_is_watched_until_the_servers_hold_it(tasks: Tasks) -> None:
    s2 = tasks.farm.add_server("s2")
    version = tasks.farm.import_disk("debian", disk(1)).version
    task = tasks.verbs.start_task("replicate", {"version": "debian/1", "to": ("s2",)})
    tasks.dispatch()
    running = tasks.claim()
    assert running is not None

    class Reporting(Around):
        def wait(self, seconds: float) -> None:
            super().wait(seconds)
            tasks.farm.report(s2, holds=(version,))

    assert tasks.verbs.run_task(running, Reporting(running)) == Finished("s2 hold debian/1")
    assert task.request.server is None


def test_schedule_begins_one_task_for_each_time(tasks: Tasks) -> None:
    name = schedule_name("nightly")
    tasks.verbs.add_schedule(name, Times("0 2 * * *"), "verify", {"server": "s1"})
    tasks.dispatch()
    assert [one.name for one in tasks.engine.schedules] == [name]
    at = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
    first = tasks.verbs.begin_scheduled(name, at)
    assert first is not None
    assert first.request.owner == ANNA
    assert tasks.verbs.begin_scheduled(name, at) is None
    # The run before is under way: the next one is left out, and its log says so.
    assert tasks.verbs.begin_scheduled(name, at.replace(day=3)) is None
    assert "left out" in tasks.verbs.show_task(first.number).log[-1].text


def test_cancelled_run_leaves_its_schedule(tasks: Tasks) -> None:
    name = schedule_name("nightly")
    tasks.verbs.add_schedule(name, Times("0 2 * * *"), "verify", {"server": "s1"})
    with pytest.raises(ScheduleNotRunningError):
        tasks.verbs.cancel_scheduled_run(name)
    first = tasks.verbs.begin_scheduled(name, datetime(2026, 3, 2, 2, 0, tzinfo=UTC))
    assert first is not None
    tasks.verbs.cancel_scheduled_run(name)
    assert tasks.state(first.number) is TaskState.CANCELLED
    [view] = tasks.verbs.list_schedules()
    assert view.run is None
    second = tasks.verbs.begin_scheduled(name, datetime(2026, 3, 3, 2, 0, tzinfo=UTC))
    assert second is not None
    tasks.verbs.remove_schedule(name)
    assert tasks.state(second.number) is TaskState.QUEUED
    with pytest.raises(ScheduleUnknownError):
        tasks.verbs.remove_schedule(name)
    assert tasks.verbs.begin_scheduled(name, datetime(2026, 3, 4, 2, 0, tzinfo=UTC)) is None


def test_a_limit_that_is_changed_counts_at_once(tasks: Tasks) -> None:
    tasks.farm.add_server("s2")
    for server in ("s1", "s2"):
        tasks.verbs.start_task("heal", {"server": server})
    tasks.verbs.set_task_rules(TaskRulesWish({TaskKind.HEAL: 1}))
    tasks.dispatch()
    first = tasks.claim()
    assert first is not None
    tasks.dispatch()
    assert tasks.claim() is None
    assert "1 tasks of the kind heal run already" in tasks.now(2).waiting
    tasks.verbs.set_task_rules(TaskRulesWish({TaskKind.HEAL: 2}))
    tasks.dispatch()
    second = tasks.claim()
    assert second is not None
    assert (first.number, second.number) == (1, 2)
    noted = tasks.verbs.list_audit(AuditFilter(what="task_rule.change"))
    assert [one.entry.actor for one in noted] == [ANNA, ANNA]
    assert noted[1].entry.after is not None
    assert "heal" in str(noted[1].entry.after)


def test_of_two_who_change_the_rules_the_second_is_told(tasks: Tasks) -> None:
    seen = tasks.verbs.show_task_rules()
    tasks.verbs.set_task_rules(TaskRulesWish(of_server=5), seen.revision)
    with pytest.raises(TaskRulesChangedError):
        tasks.verbs.set_task_rules(TaskRulesWish(of_server=6), seen.revision)
    assert tasks.verbs.show_task_rules().limits.of_server == 5


def test_what_ended_long_ago_is_forgotten_here_and_by_the_engine(tasks: Tasks) -> None:
    ended, active = claimed(tasks), tasks.start("other")
    tasks.end(ended, Finished("all is well"))
    tasks.farm.wait(KEPT_FOR.total_seconds() - 60)
    assert tasks.verbs.prune_tasks(tasks.engine) == 0
    tasks.farm.wait(120)
    assert tasks.verbs.prune_tasks(tasks.engine) == 1
    with pytest.raises(TaskUnknownError):
        tasks.now(ended.number)
    assert tasks.state(active.number) is TaskState.QUEUED
    assert all(number != ended.number for number, _ in tasks.engine.runs)
    assert tasks.start("third").number == active.number + 1
    tasks.verbs.cancel_task(active.number)
    tasks.verbs.set_task_rules(TaskRulesWish(kept_for=timedelta(days=1)))
    tasks.farm.wait(2 * 86400)
    assert tasks.verbs.prune_tasks(tasks.engine) == 1
