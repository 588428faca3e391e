"""Bring the farm's tasks and the engine that starts them in step."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from corral.farm.domain.task.engine import EngineState, Handling, handling
from corral.farm.domain.task.errors import TaskEngineFailedError
from corral.farm.domain.task.state import TaskState
from corral.farm.domain.task.task import Failure, LogLine
from corral.farm.domain.task.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from corral.farm.application.ports.records import Transactions
    from corral.farm.application.ports.sources import Clock
    from corral.farm.application.ports.tasks import TaskEngine
    from corral.farm.domain.task.limits import Limits
    from corral.farm.domain.task.task import Task
    from corral.farm.domain.task.worker import Worker

_FORGOTTEN_AFTER: Final = timedelta(days=1)


class DispatchTasks:
    """One round of what every worker does each second; several may do it at once.

    Tasks of silent workers are taken away from them; queued ones whose limits are not reached are
    handed to the engine; schedules are kept as people set them. Whatever a killed worker left half
    done, another finds in its next round.
    """

    def __init__(self, transactions: Transactions, clock: Clock) -> None:
        self._transactions = transactions
        self._clock = clock
        self._watch = Watch()

    def __call__(self, engine: TaskEngine, worker: Worker, steady: float) -> None:
        """Do one round; ``steady`` is the time of a clock that is never set."""
        now = self._clock.now()
        with self._transactions.writing() as records:
            records.workers.put(worker)
            for one in records.workers.all():
                if now - one.seen_at > _FORGOTTEN_AFTER:
                    records.workers.remove(one.name)
            active = records.tasks.active()
            limits = records.task_rules.get().limits
            schedules = records.schedules.all()
        for task in self._watch.silent(active, steady):
            self._take_away(engine, task, now)
        engine.keep_schedules(schedules)
        self._hand_over(engine, active, limits, now)

    def _take_away(self, engine: TaskEngine, seen: Task, now: datetime) -> None:
        with self._transactions.writing() as records:
            task = records.tasks.get(seen.number)
            if (task.state, task.run, task.beats) != (seen.state, seen.run, seen.beats):
                return
            reason = f"{task.worker} has not been heard of"
            records.tasks.keep(task.lost(reason, now))
            records.tasks.note(task.number, LogLine(now, f"{reason}: taken away from it"))
        engine.withdraw(seen.number, seen.run)

    def _hand_over(
        self, engine: TaskEngine, active: Sequence[Task], limits: Limits, now: datetime
    ) -> None:
        states = engine.states([task for task in active if task.state is not TaskState.RUNNING])
        taken = [task for task in active if task.state is TaskState.RUNNING]
        for task in active:
            if task.state is TaskState.RUNNING:
                continue
            state = states[task.number]
            what = handling(task.state, state)
            if task.state is TaskState.QUEUED and state in _ON_THE_WAY:
                taken.append(task)
            if what is Handling.HAND_OVER:
                if not task.may_start(now):
                    continue
                if reason := limits.reached_by(task, taken):
                    self._say_why(task, reason)
                    continue
                engine.hand_over(task, limits)
                taken.append(task)
            else:
                self._follow(engine, task, what, now)

    def _say_why(self, seen: Task, reason: str) -> None:
        if seen.waiting != reason:
            with self._transactions.writing() as records:
                task = records.tasks.get(seen.number)
                if task == seen:
                    records.tasks.keep(task.waiting_for(reason))

    def _follow(self, engine: TaskEngine, seen: Task, what: Handling, now: datetime) -> None:
        if what is Handling.WITHDRAW:
            engine.withdraw(seen.number, seen.run)
        if what not in (Handling.NEXT_RUN, Handling.FAIL):
            return
        with self._transactions.writing() as records:
            task = records.tasks.get(seen.number)
            if task != seen:
                return
            if what is Handling.NEXT_RUN:
                records.tasks.keep(task.put_off(task.waiting))
            else:
                failure = Failure.of(TaskEngineFailedError(task.number))
                records.tasks.keep(task.failed(failure, now))
                records.tasks.note(task.number, LogLine(now, f"failed: {failure.message}"))


_ON_THE_WAY: Final = (EngineState.WAITING, EngineState.STARTED)
