"""What a worker does to a task: claim it, keep it, end it. Each is one short transaction."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final, TypeAlias

from corral.farm.domain.task.errors import TaskLostError, TaskUnknownError
from corral.farm.domain.task.state import TaskState
from corral.farm.domain.task.task import LogLine, Task, Wish

if TYPE_CHECKING:
    from collections.abc import Sequence

    from corral.farm.application.ports.records import Records, Transactions
    from corral.farm.application.ports.sources import Clock
    from corral.farm.application.progress import Amounts
    from corral.farm.domain.task.number import TaskNumber
    from corral.farm.domain.task.task import Failure

_TRY_AGAIN_AFTER: Final = timedelta(seconds=5)


@dataclass(frozen=True)
class Finished:
    """It is done."""

    result: str


@dataclass(frozen=True)
class Failed:
    """It cannot be done as it was asked for."""

    failure: Failure


@dataclass(frozen=True)
class Stopped:
    """It stopped half way, because that was wanted or because its worker ends."""


@dataclass(frozen=True)
class PutOff:
    """Something has to happen first; it will be tried again."""

    reason: str


Ending: TypeAlias = Finished | Failed | Stopped | PutOff


class ClaimTask:
    """Begins a run, if it is still to be begun and no limit is in its way."""

    def __init__(self, transactions: Transactions, clock: Clock) -> None:
        self._transactions = transactions
        self._clock = clock

    def __call__(self, number: TaskNumber, run: int, worker: str) -> Task | None:
        """Give the running task; ``None`` if this run is not to be begun, here or at all."""
        now = self._clock.now()
        with self._transactions.writing() as records:
            try:
                task = records.tasks.get(number)
            except TaskUnknownError:
                return None
            if task.state is not TaskState.QUEUED or task.run != run:
                return None
            running = [one for one in records.tasks.active() if one.state is TaskState.RUNNING]
            if reason := records.task_rules.get().limits.reached_by(task, running):
                records.tasks.keep(task.put_off(reason))
                return None
            claimed = task.claimed(worker, now)
            records.tasks.keep(claimed)
            records.tasks.note(number, LogLine(now, f"run {run} began on {worker}"))
        return claimed


class KeepTask:
    """Gives a sign of life of a run, and hears what is wanted of it."""

    def __init__(self, transactions: Transactions, clock: Clock) -> None:
        self._transactions = transactions
        self._clock = clock

    def __call__(
        self, number: TaskNumber, run: int, amounts: Amounts, lines: Sequence[LogLine] = ()
    ) -> Wish:
        """Give what is wanted; ``TaskLostError`` if the run was given up in the meantime."""
        with self._transactions.writing() as records:
            task = records.tasks.get(number)
            progress = task.progress.later(
                self._clock.now(), amounts.done_bytes, amounts.total_bytes, amounts.new_bytes
            )
            records.tasks.keep(task.kept(run, progress))
            for line in lines:
                records.tasks.note(number, line)
        return task.wish


class EndTask:
    """Writes down how a run ended."""

    def __init__(self, transactions: Transactions, clock: Clock) -> None:
        self._transactions = transactions
        self._clock = clock

    def __call__(self, number: TaskNumber, run: int, ending: Ending, amounts: Amounts) -> Task:
        """Give the task afterwards; ``TaskLostError`` if the run was given up before."""
        now = self._clock.now()
        with self._transactions.writing() as records:
            task = records.tasks.get(number)
            task.must_be_run(run)
            progress = task.progress.later(
                now, amounts.done_bytes, amounts.total_bytes, amounts.new_bytes
            )
            task, text = _ended(replace(task, progress=progress), ending, self._clock)
            records.tasks.keep(task)
            records.tasks.note(number, LogLine(now, text))
        return task


def made(records: Records, number: TaskNumber, run: int, result: str) -> None:
    """Keep what a run made with whatever else the transaction changes.

    Raises ``TaskLostError``, so that a worker which was given up publishes nothing.
    """
    task = records.tasks.get(number)
    if task.result:
        raise TaskLostError(number)
    task.must_be_run(run)
    records.tasks.keep(replace(task, result=result))


def _ended(task: Task, ending: Ending, clock: Clock) -> tuple[Task, str]:
    now = clock.now()
    match ending:
        case Finished(result):
            return task.finished(result, now), f"done: {result}"
        case Failed(failure):
            return task.failed(failure, now), f"failed: {failure.message}"
        case Stopped() if task.is_embedded:
            return replace(task, wish=Wish.CANCEL).stopped(now), "cancelled"
        case Stopped() if task.wish is not Wish.NONE:
            after = task.stopped(now)
            return after, after.state.value
        case Stopped():
            reason = f"{task.worker} was stopped, and handed it back"
            return task.lost(reason, now), reason
        case PutOff(reason):
            return task.lost(reason, now, now + _TRY_AGAIN_AFTER), f"put off: {reason}"
