from dataclasses import replace
from datetime import timedelta
from types import MappingProxyType

import pytest

from corral.farm.application.ports.records import Transactions
from corral.farm.domain.access.actor import THE_FARM, Actor, ActorKind
from corral.farm.domain.estate.server import server_name
from corral.farm.domain.task.errors import (
    ScheduleNameTakenError,
    ScheduleUnknownError,
    TaskUnknownError,
)
from corral.farm.domain.task.number import TaskNumber
from corral.farm.domain.task.rules import TaskRules, TaskRulesChangedError, TaskRulesWish
from corral.farm.domain.task.schedule import Schedule, Times, schedule_name
from corral.farm.domain.task.state import TaskState
from corral.farm.domain.task.task import Failure, LogLine, Task, TaskKind, TaskRequest, Wish
from corral.farm.domain.task.worker import Worker
from tests.contract.things import NOW, later

ANNA = Actor(ActorKind.ACCOUNT, "anna")
REQUEST = TaskRequest(
    kind=TaskKind.REPLICATE,
    object="debian/1",
    owner=ANNA,
    arguments=MappingProxyType({"version": "debian/1", "to": ("s1", "s2"), "fast": True, "n": 7}),
    server=server_name("s1"),
    schedule="nightly",
    origin="nightly@2026-03-01T02:00",
)


def task(number: int, state: TaskState = TaskState.QUEUED, origin: str | None = None) -> Task:
    return Task(TaskNumber(number), replace(REQUEST, origin=origin), NOW, state)


def test_task_comes_back_as_it_went_in(transactions: Transactions) -> None:
    first = Task(TaskNumber(1), REQUEST, NOW)
    running = first.claimed("w1", later(1))
    progress = running.progress.later(later(2), 5, 10, 3).later(later(3), 7, None, 4)
    kept = replace(running.kept(1, progress), wish=Wish.PAUSE, waiting="for luck")
    with transactions.writing() as records:
        records.tasks.add(first)
        records.tasks.keep(kept)
    with transactions.reading() as records:
        assert records.tasks.get(TaskNumber(1)) == kept
        assert records.tasks.with_origin("nightly@2026-03-01T02:00") == kept
        assert records.tasks.with_origin("nightly@2026-03-02T02:00") is None


def test_a_task_keeps_by_which_request_it_was_asked_for(transactions: Transactions) -> None:
    asked = replace(REQUEST, owner=replace(ANNA, request="boot-17.a_b"), origin=None)
    with transactions.writing() as records:
        records.tasks.add(Task(TaskNumber(1), asked, NOW))
        records.tasks.add(task(2))
    with transactions.reading() as records:
        assert records.tasks.get(TaskNumber(1)).request.owner.request == "boot-17.a_b"
        assert not records.tasks.get(TaskNumber(2)).request.owner.request


def test_failed_and_put_off_tasks_keep_why(transactions: Transactions) -> None:
    running = task(1).claimed("w1", later(1))
    failed = running.failed(Failure("store-full", "s1 is full"), later(2))
    put_off = replace(running, number=TaskNumber(2)).lost("busy", later(2), later(9))
    with transactions.writing() as records:
        records.tasks.add(failed)
        records.tasks.add(put_off)
    with transactions.reading() as records:
        assert records.tasks.get(TaskNumber(1)) == failed
        assert records.tasks.get(TaskNumber(2)) == put_off


def test_numbers_go_up_and_unknown_ones_are_refused(transactions: Transactions) -> None:
    with transactions.writing() as records:
        assert records.tasks.next_number() == 1
        records.tasks.add(task(1))
        assert records.tasks.next_number() == 2
    with transactions.writing() as records:
        with pytest.raises(TaskUnknownError):
            records.tasks.get(TaskNumber(2))
        with pytest.raises(TaskUnknownError):
            records.tasks.keep(task(2))


def test_change_leaves_the_request_alone(transactions: Transactions) -> None:
    with transactions.writing() as records:
        records.tasks.add(task(1))
        stolen = replace(task(1), request=replace(REQUEST, owner=THE_FARM))
        records.tasks.keep(stolen)
        records.tasks.change(task(1), stolen.to_pause())
        assert records.tasks.get(TaskNumber(1)).state is TaskState.PAUSED
        assert records.tasks.get(TaskNumber(1)).request.owner == ANNA


def test_active_ones_are_all_there_and_ended_ones_are_the_last(transactions: Transactions) -> None:
    states = list(TaskState) * 3
    with transactions.writing() as records:
        for number, state in enumerate(states, 1):
            records.tasks.add(task(number, state))
    with transactions.reading() as records:
        active = [one.number for one in records.tasks.active()]
        assert active == [n for n, state in enumerate(states, 1) if state.is_active]
        ended = [n for n, state in enumerate(states, 1) if not state.is_active]
        assert [one.number for one in records.tasks.ended(2)] == ended[-2:]
        assert [one.number for one in records.tasks.ended(99)] == ended
        assert records.tasks.ended(0) == []


def test_log_keeps_its_order(transactions: Transactions) -> None:
    lines = [LogLine(later(3), "first"), LogLine(later(1), "second"), LogLine(later(1), "third")]
    with transactions.writing() as records:
        records.tasks.add(task(1))
        records.tasks.add(task(2))
        for line in lines:
            records.tasks.note(TaskNumber(1), line)
    with transactions.reading() as records:
        assert list(records.tasks.log(TaskNumber(1))) == lines
        assert list(records.tasks.log(TaskNumber(2))) == []


def test_schedules_have_names_of_their_own(transactions: Transactions) -> None:
    request = replace(REQUEST, origin=None)
    nightly = Schedule(schedule_name("nightly"), Times("0 2 * * *", "Europe/Berlin"), request, NOW)
    weekly = replace(
        nightly, name=schedule_name("weekly"), request=replace(request, schedule="weekly")
    )
    with transactions.writing() as records:
        records.schedules.add(weekly)
        records.schedules.add(nightly)
        with pytest.raises(ScheduleNameTakenError):
            records.schedules.add(nightly)
    ran = replace(nightly, last_run_at=later(60))
    with transactions.writing() as records:
        records.schedules.keep(ran)
        assert list(records.schedules.all()) == [ran, weekly]
        assert records.schedules.get(nightly.name) == ran
        records.schedules.remove(nightly.name)
        records.schedules.remove(nightly.name)
        assert records.schedules.find(nightly.name) is None
        with pytest.raises(ScheduleUnknownError):
            records.schedules.get(nightly.name)


def test_workers_say_what_they_reach(transactions: Transactions) -> None:
    some = Worker("w1", (server_name("s1"), server_name("s2")), NOW, "wrong password", "canary")
    every = Worker("w2", None, NOW)
    with transactions.writing() as records:
        records.workers.put(every)
        records.workers.put(some)
        records.workers.put(replace(some, seen_at=later(5)))
    with transactions.writing() as records:
        assert list(records.workers.all()) == [replace(some, seen_at=later(5)), every]
        records.workers.remove("w1")
        records.workers.remove("w1")
        assert list(records.workers.all()) == [every]


def ended(number: int, seconds: float) -> Task:
    return task(number).claimed("w1", NOW).finished("all is well", later(seconds))


def test_what_ended_long_ago_is_forgotten_with_its_log(transactions: Transactions) -> None:
    old = [ended(1, 1), task(2).claimed("w1", NOW), ended(3, 2), task(4), ended(5, 50), ended(6, 3)]
    with transactions.writing() as records:
        for one in old:
            records.tasks.add(one)
            records.tasks.note(one.number, LogLine(later(1), "began"))
        # One of them after another, and never the last: its number would be given again.
        assert [one.number for one in records.tasks.prune(later(10), 1)] == [1]
        assert records.tasks.prune(later(10), 9) == [old[2]]
        assert records.tasks.prune(later(10), 9) == []
    with transactions.reading() as records:
        assert [one.number for one in records.tasks.active()] == [2, 4]
        assert [one.number for one in records.tasks.ended(9)] == [5, 6]
        assert records.tasks.log(TaskNumber(1)) in ([], ())
        assert [line.text for line in records.tasks.log(TaskNumber(2))] == ["began"]
        assert records.tasks.next_number() == 7


def test_the_usual_rules_hold_until_somebody_sets_others(transactions: Transactions) -> None:
    usual = TaskRules()
    wish = TaskRulesWish(
        {TaskKind.VERIFY: 3}, of_server=5, of_kind_on_server=2, of_farm=7, kept_for=timedelta(1)
    )
    wanted = wish.applied_to(usual)
    with transactions.writing() as records:
        assert records.task_rules.get() == usual
        records.task_rules.change(usual, wanted)
    with transactions.writing() as records:
        assert records.task_rules.get() == replace(wanted, revision=2)
        with pytest.raises(TaskRulesChangedError):
            records.task_rules.change(usual, usual)
        records.task_rules.change(records.task_rules.get(), usual)
    with transactions.reading() as records:
        assert records.task_rules.get() == replace(usual, revision=3)
