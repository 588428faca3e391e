"""A task: what is to be done, for whom, and how far it is."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, TypeAlias

from corral.farm.domain.task.errors import (
    TaskLostError,
    TaskNotPausableError,
    TaskNotRetriableError,
    TaskProcessEndedError,
)
from corral.farm.domain.task.state import TaskEvent, TaskState, next_state

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from corral.farm.domain.access.actor import Actor
    from corral.farm.domain.errors import DomainError
    from corral.farm.domain.estate.server import ServerName
    from corral.farm.domain.task.number import TaskNumber

Argument: TypeAlias = str | int | bool | tuple[str, ...]

_SMOOTHING: Final = 0.3


class Unit(StrEnum):
    """What the progress of a task counts."""

    BYTES = "bytes"
    DEVICES = "devices"


class TaskKind(StrEnum):
    """What a task does; each has its rules in ``application.task_kinds``."""

    IMPORT = "import"
    REPLICATE = "replicate"
    VERIFY = "verify"
    HEAL = "heal"
    COLLECT = "collect"
    SCRUB = "scrub"
    SEAL = "seal"
    REBALANCE = "rebalance"
    BACKUP = "backup"
    LIBRARY = "library"
    """Import into the library."""
    REPUBLISH = "republish"
    """A new version of an image, with newer guest tools in it."""
    RELAY = "relay"
    """A version on its way to a relay; the farm asks for it by itself."""

    @property
    def counts(self) -> Unit:
        """What its progress counts."""
        return Unit.DEVICES if self is TaskKind.REBALANCE else Unit.BYTES


class Wish(StrEnum):
    """What somebody wants of a task that runs; its worker hears of it with the next beat."""

    NONE = ""
    PAUSE = "pause"
    CANCEL = "cancel"


@dataclass(frozen=True)
class TaskRequest:
    """What somebody asked for; it never changes."""

    kind: TaskKind
    object: str
    """What it is about, for people: an image, a version, a server."""
    owner: Actor
    """Who asked for it, and in whose name it is done."""
    arguments: Mapping[str, Argument] = field(default_factory=lambda: MappingProxyType({}))
    """Never secrets: kinds have no argument that could hold one."""
    server: ServerName | None = None
    """Whose store it needs to reach; ``None``: any worker can run it."""
    schedule: str | None = None
    """The schedule that asked for it."""
    origin: str | None = None
    """What must not be asked for twice, such as one run of a schedule."""


@dataclass(frozen=True)
class Failure:
    """Why a task failed."""

    code: str
    message: str

    @classmethod
    def of(cls, error: DomainError) -> Failure:
        """Keep the code and the message of an error."""
        return cls(error.code, error.message)


@dataclass(frozen=True)
class TaskProgress:
    """How far a task is, and how fast: in bytes, or whatever its kind counts."""

    total_bytes: int | None = None
    done_bytes: int = 0
    new_bytes: int = 0
    per_second: float = 0.0
    """Smoothed over some seconds."""
    at: datetime | None = None
    """When it was last looked at."""

    def later(
        self, now: datetime, done_bytes: int, total_bytes: int | None, new_bytes: int
    ) -> TaskProgress:
        """Give the progress with another look at the work."""
        rate = self.per_second
        seconds = 0.0 if self.at is None else (now - self.at).total_seconds()
        if seconds > 0 and done_bytes >= self.done_bytes:
            seen = (done_bytes - self.done_bytes) / seconds
            rate = seen if rate == 0 else _SMOOTHING * seen + (1 - _SMOOTHING) * rate
        return TaskProgress(total_bytes, done_bytes, new_bytes, rate, now)

    @property
    def seconds_left(self) -> float | None:
        """Give the time left at this pace, where the amount of work and the pace are known."""
        if self.total_bytes is None or self.per_second <= 0:
            return None
        return max(0, self.total_bytes - self.done_bytes) / self.per_second


@dataclass(frozen=True)
class Task:
    """A request with everything that happened to it.

    ``run`` counts how often it was queued. One run is claimed at most once, so that a number and a
    run are a fence: whoever writes for a run that is over is refused.
    """

    number: TaskNumber
    request: TaskRequest
    created_at: datetime
    state: TaskState = TaskState.QUEUED
    run: int = 1
    is_embedded: bool = False
    """Whether it runs inside a command that somebody watches, and ends with it."""
    wish: Wish = Wish.NONE
    worker: str = ""
    """Who runs it, or ran it last."""
    beats: int = 0
    """Signs of life of its worker in this run."""
    started_at: datetime | None = None
    """When its last run began."""
    ended_at: datetime | None = None
    progress: TaskProgress = field(default_factory=TaskProgress)
    waiting: str = ""
    """Why it does not run; empty where nothing but its turn is missing."""
    not_before: datetime | None = None
    """When to try again what had to wait."""
    failure: Failure | None = None
    result: str = ""
    """What it came to, for people."""

    @classmethod
    def embedded(cls, number: TaskNumber, request: TaskRequest, worker: str, now: datetime) -> Task:
        """Give a task that a command runs from its first moment on."""
        return cls(number, request, now, is_embedded=True).claimed(worker, now)

    def claimed(self, worker: str, now: datetime) -> Task:
        """Give the task as ``worker`` begins with it."""
        return replace(
            self._after(TaskEvent.CLAIM),
            worker=worker,
            beats=0,
            started_at=now,
            ended_at=None,
            progress=TaskProgress(),
            waiting="",
            not_before=None,
            failure=None,
        )

    def kept(self, run: int, progress: TaskProgress) -> Task:
        """Give the task after a sign of life of the worker of ``run``; else ``TaskLostError``."""
        self.must_be_run(run)
        return replace(self, beats=self.beats + 1, progress=progress)

    def must_be_run(self, run: int) -> None:
        """Raise ``TaskLostError`` unless ``run`` is what runs now."""
        if self.state is not TaskState.RUNNING or self.run != run:
            raise TaskLostError(self.number)

    def finished(self, result: str, now: datetime) -> Task:
        """Give the task as its worker is through with it."""
        return replace(self._after(TaskEvent.FINISH), ended_at=now, result=result, wish=Wish.NONE)

    def failed(self, failure: Failure, now: datetime) -> Task:
        """Give the task as it could not be done."""
        return replace(
            self._after(TaskEvent.FAIL),
            ended_at=now,
            failure=failure,
            waiting="",
            wish=Wish.NONE,
        )

    def lost(self, reason: str, now: datetime, not_before: datetime | None = None) -> Task:
        """Give the task as it has no worker any more: stopped if that was wanted, else queued."""
        if self.wish is not Wish.NONE:
            return self.stopped(now)
        if self.is_embedded:
            return self.failed(Failure.of(TaskProcessEndedError(self.worker)), now)
        return replace(
            self._after(TaskEvent.LOSE),
            run=self.run + 1,
            waiting=reason,
            not_before=not_before,
        )

    def stopped(self, now: datetime) -> Task:
        """Give the task as its worker has stopped as wanted."""
        if self.wish is Wish.PAUSE:
            return replace(self._after(TaskEvent.PAUSE), wish=Wish.NONE)
        return replace(self._after(TaskEvent.CANCEL), wish=Wish.NONE, ended_at=now)

    def put_off(self, reason: str) -> Task:
        """Give the task, still queued, with what it waits for; its next start is another run."""
        return replace(self, run=self.run + 1, waiting=reason)

    def waiting_for(self, reason: str) -> Task:
        """Give the task with what it waits for."""
        return replace(self, waiting=reason)

    def may_start(self, now: datetime) -> bool:
        """Whether nothing but limits and its turn keep it from starting."""
        is_due = self.not_before is None or self.not_before <= now
        return self.state is TaskState.QUEUED and is_due

    def to_pause(self) -> Task:
        """Give the task with the wish to pause it, or paused."""
        if self.is_embedded:
            reason = "it runs in somebody's terminal"
            raise TaskNotPausableError(self.number, reason)
        if self.state is TaskState.RUNNING:
            return replace(self, wish=Wish.PAUSE)
        return replace(self._after(TaskEvent.PAUSE), waiting="")

    def to_resume(self) -> Task:
        """Give the task queued again, or with its wish to pause taken back."""
        if self.state is TaskState.RUNNING and self.wish is Wish.PAUSE:
            return replace(self, wish=Wish.NONE)
        return replace(self._after(TaskEvent.RESUME), run=self.run + 1, not_before=None)

    def to_cancel(self, now: datetime) -> Task:
        """Give the task with the wish to cancel it, or cancelled."""
        if self.state is TaskState.RUNNING:
            return replace(self, wish=Wish.CANCEL)
        return replace(self._after(TaskEvent.CANCEL), ended_at=now, waiting="")

    def to_retry(self) -> Task:
        """Give the task queued again after it failed or was cancelled."""
        after = self._after(TaskEvent.RETRY)
        if self.is_embedded:
            raise TaskNotRetriableError(self.number)
        return replace(after, run=self.run + 1, ended_at=None, failure=None, not_before=None)

    def _after(self, event: TaskEvent) -> Task:
        return replace(self, state=next_state(self.number, self.state, event))


@dataclass(frozen=True)
class LogLine:
    """Something that was worth a line."""

    at: datetime
    text: str
