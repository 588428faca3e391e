from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from corral.farm.domain.access.actor import Actor, ActorKind
from corral.farm.domain.estate.server import server_name
from corral.farm.domain.task.engine import HANDLING, EngineState, Handling, handling
from corral.farm.domain.task.errors import (
    ScheduleInvalidError,
    TaskLostError,
    TaskNotPausableError,
    TaskNotRetriableError,
    TaskTransitionError,
)
from corral.farm.domain.task.limits import Limits
from corral.farm.domain.task.number import TaskNumber
from corral.farm.domain.task.rules import KEPT_FOR, TaskRuleError, TaskRules, TaskRulesWish
from corral.farm.domain.task.schedule import Times
from corral.farm.domain.task.state import TRANSITIONS, TaskEvent, TaskState, possible
from corral.farm.domain.task.task import (
    Failure,
    Task,
    TaskKind,
    TaskProgress,
    TaskRequest,
    Wish,
)
from corral.farm.domain.task.watch import Watch
from corral.farm.domain.task.worker import SILENCE, Worker

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
ANNA = Actor(ActorKind.ACCOUNT, "anna")
S1, S2 = server_name("s1"), server_name("s2")


def task(number: int = 1, kind: TaskKind = TaskKind.IMPORT, server: str | None = "s1") -> Task:
    where = None if server is None else server_name(server)
    return Task(TaskNumber(number), TaskRequest(kind, "debian", ANNA, server=where), NOW)


def test_every_state_can_be_reached_and_only_done_is_for_ever() -> None:
    assert {TaskState.QUEUED, *TRANSITIONS.values()} == set(TaskState)
    stuck = {state for state in TaskState if not any(old is state for old, _ in TRANSITIONS)}
    assert stuck == {TaskState.DONE}


@pytest.mark.parametrize("state", TaskState)
def test_what_is_possible_is_what_the_table_allows(state: TaskState) -> None:
    asked = replace(task(), state=state)
    ways = {
        TaskEvent.PAUSE: asked.to_pause,
        TaskEvent.RESUME: asked.to_resume,
        TaskEvent.CANCEL: lambda: asked.to_cancel(NOW),
        TaskEvent.RETRY: asked.to_retry,
    }
    for event, ask in ways.items():
        if event.value in possible(state):
            ask()
        else:
            with pytest.raises(TaskTransitionError, match=f"task 1 is {state}"):
                ask()


def test_each_time_in_the_queue_is_a_run_of_its_own() -> None:
    queued = task()
    again = [
        queued.claimed("w", NOW).lost("gone", NOW),
        queued.to_pause().to_resume(),
        queued.to_cancel(NOW).to_retry(),
        queued.put_off("full"),
    ]
    assert [(one.state, one.run) for one in again] == [(TaskState.QUEUED, 2)] * 4


def test_whoever_was_given_up_may_not_write() -> None:
    first = task().claimed("w1", NOW)
    second = first.lost("silent", NOW).claimed("w2", NOW)
    with pytest.raises(TaskLostError):
        second.kept(first.run, TaskProgress())
    assert second.kept(second.run, TaskProgress()).beats == 1


def test_a_wish_is_heard_by_the_worker_and_survives_its_death() -> None:
    running = task().claimed("w1", NOW)
    assert running.to_pause().wish is Wish.PAUSE
    assert running.to_pause().stopped(NOW).state is TaskState.PAUSED
    assert running.to_pause().to_resume().wish is Wish.NONE
    assert running.to_cancel(NOW).stopped(NOW).state is TaskState.CANCELLED
    assert running.to_pause().lost("silent", NOW).state is TaskState.PAUSED
    assert running.to_cancel(NOW).lost("silent", NOW).state is TaskState.CANCELLED
    assert running.to_pause().finished("in time", NOW).wish is Wish.NONE


def test_a_task_of_a_terminal_ends_with_it() -> None:
    request = TaskRequest(TaskKind.IMPORT, "debian", ANNA, server=S1)
    embedded = Task.embedded(TaskNumber(1), request, "pc1-77", NOW)
    with pytest.raises(TaskNotPausableError):
        embedded.to_pause()
    lost = embedded.lost("silent", NOW)
    assert lost.state is TaskState.FAILED
    assert lost.failure is not None
    assert lost.failure.code == "task-process-ended"
    with pytest.raises(TaskNotRetriableError):
        lost.to_retry()


def test_progress_knows_its_pace_and_the_time_left() -> None:
    progress = TaskProgress()
    assert progress.seconds_left is None
    for second in range(5):
        progress = progress.later(NOW + timedelta(seconds=second), 10 * second, 100, second)
    assert progress.per_second == pytest.approx(10)
    assert progress.seconds_left == pytest.approx(6)
    # A resumed import begins its count again; that is no negative pace.
    assert progress.later(NOW + timedelta(seconds=9), 0, 100, 0).per_second == pytest.approx(10)


def test_limits_of_kind_of_server_and_of_both() -> None:
    limits = Limits(of_server=2, of_kind_on_server=1)
    running = [task(1).claimed("w", NOW), task(2, TaskKind.VERIFY).claimed("w", NOW)]
    assert "runs 2 tasks" in limits.reached_by(task(3, TaskKind.HEAL), running)
    assert "task 1 of the same kind" in limits.reached_by(task(3), running[:1])
    assert limits.reached_by(task(3, server="s2"), running) == ""
    assert limits.reached_by(task(1), running[:1]) == "", "a task is not in its own way"
    full = [task(n, server=f"s{n}") for n in range(1, 5)]
    assert "of the kind import" in limits.reached_by(task(9, server="s9"), full)
    watching = [task(n, TaskKind.REPLICATE, None) for n in range(3)]
    few = Limits(of_farm=3)
    assert "without a server" in few.reached_by(task(9, TaskKind.REPLICATE, None), watching)
    assert set(Limits().of_kind) == set(TaskKind)


def test_a_rule_that_is_not_named_stays() -> None:
    rules = TaskRulesWish({TaskKind.VERIFY: 3}, of_farm=7).applied_to(TaskRules())
    assert rules.limits.of_kind == {**Limits().of_kind, TaskKind.VERIFY: 3}
    assert (rules.limits.of_farm, rules.limits.of_server) == (7, Limits().of_server)
    assert rules.kept_for == KEPT_FOR
    assert TaskRulesWish().applied_to(rules) == rules


@pytest.mark.parametrize(
    "wish",
    [
        TaskRulesWish({TaskKind.VERIFY: 0}),
        TaskRulesWish(of_server=0),
        TaskRulesWish(of_kind_on_server=1001),
        TaskRulesWish(of_farm=-1),
        TaskRulesWish(kept_for=timedelta(hours=23)),
        TaskRulesWish(kept_for=timedelta(days=3651)),
    ],
    ids=str,
)
def test_rules_that_make_no_sense_are_refused(wish: TaskRulesWish) -> None:
    with pytest.raises(TaskRuleError, match="such a rule for tasks cannot be"):
        wish.applied_to(TaskRules())


def test_a_worker_is_silent_by_the_watcher_s_own_clock() -> None:
    watch = Watch()
    running = task().claimed("w1", NOW)
    patience = SILENCE.total_seconds()
    assert watch.silent([running, task(2)], 0) == []
    beat = running.kept(1, TaskProgress())
    assert watch.silent([beat], patience) == [], "a sign of life counts from when it was seen"
    assert watch.silent([beat], 2 * patience - 1) == []
    assert watch.silent([beat], 2 * patience) == [beat]


def test_workers_reach_what_they_were_told() -> None:
    assert Worker("w", None, NOW).reaches(S2)
    assert Worker("w", (S1,), NOW).reaches(None)
    assert not Worker("w", (S1,), NOW).reaches(S2)
    assert not Worker("w", None, NOW).is_alive(NOW + SILENCE)


def test_farm_and_engine_come_together_whatever_each_says() -> None:
    assert set(HANDLING) == set(TaskState)
    for state in TaskState:
        for said in EngineState:
            what = handling(state, said)
            assert what in Handling
            # Only a queued task may ever be started.
            if what in (Handling.HAND_OVER, Handling.NEXT_RUN):
                assert state is TaskState.QUEUED


@pytest.mark.parametrize(
    "cron", ["0 2 * * *", "*/5 * * * *", "0,30 8-18 1-31/2 * 1-5", "59 23 31 12 7"]
)
def test_times_of_cron(cron: str) -> None:
    assert Times(cron).cron == cron


@pytest.mark.parametrize(
    "cron",
    [
        "",
        "* * * *",
        "60 * * * *",
        "* 24 * * *",
        "* * 0 * *",
        "5-2 * * * *",
        "*/0 * * * *",
        "a b c d e",
    ],
)
def test_what_is_no_time_is_refused(cron: str) -> None:
    with pytest.raises(ScheduleInvalidError):
        Times(cron)


def test_failure_keeps_code_and_message() -> None:
    error = TaskLostError(TaskNumber(7))
    assert Failure.of(error) == Failure("task-lost", error.message)
