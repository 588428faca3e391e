"""Rules of tasks and schedules that can be broken."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corral.farm.domain.errors import (
    DamagedError,
    EnvironmentFaultError,
    InvalidInputError,
    RefusedError,
    TakenError,
    TryAgainError,
    UnknownThingError,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from corral.farm.domain.task.number import TaskNumber


class TaskUnknownError(UnknownThingError):
    """No task has that number. `corral task list --all` lists those that are remembered."""

    code = "task-unknown"

    def __init__(self, number: int) -> None:
        super().__init__(f"there is no task {number}: 'corral task list --all' lists them")


class TaskTransitionError(RefusedError):
    """What was asked for cannot happen to a task in its state, such as to resume one that runs."""

    code = "task-transition"

    def __init__(self, number: TaskNumber, state: str, event: str, possible: Iterable[str]) -> None:
        can = ", ".join(possible)
        way_out = f"what is possible now: {can}" if can else "nothing can be asked of it any more"
        super().__init__(f"task {number} is {state}, which does not allow {event}: {way_out}")
        self.number = number


class TaskNotPausableError(RefusedError):
    """The task cannot be paused: its kind has no place to stop, or it runs in a terminal.

    A task of a command that somebody watches ends with that command; cancel it, or start it with
    `--detach` another time.
    """

    code = "task-not-pausable"

    def __init__(self, number: TaskNumber, reason: str) -> None:
        super().__init__(f"task {number} cannot be paused, because {reason}: cancel it instead")
        self.number = number


class TaskNotRetriableError(RefusedError):
    """The task ran inside a command that somebody watched, and ended with it.

    Give the command again; with `--detach` a worker runs it, and it can be tried again.
    """

    code = "task-not-retriable"

    def __init__(self, number: TaskNumber) -> None:
        super().__init__(
            f"task {number} ran in a terminal, and no worker can run it: give the command again,"
            " with --detach if a worker should"
        )
        self.number = number


class TaskLostError(TryAgainError):
    """A worker wrote to a task that is no longer its own: it was silent, and was given up.

    Nothing that it did since then counts; another worker has the task, or gets it.
    """

    code = "task-lost"

    def __init__(self, number: TaskNumber) -> None:
        super().__init__(
            f"task {number} is no longer run here: it was taken away from this process, whose"
            f" work on it does not count; 'corral task show {number}' says where it is"
        )
        self.number = number


class TaskProcessEndedError(EnvironmentFaultError):
    """The command that ran the task ended without a word, or its machine did.

    What it had not published yet is not there. Give the command again.
    """

    code = "task-process-ended"

    def __init__(self, worker: str) -> None:
        super().__init__(
            f"{worker} ended without a word, and the task with it: give the command again"
        )


class TaskEngineFailedError(EnvironmentFaultError):
    """The engine that starts tasks gave this one up. The workers' logs say more; retry it."""

    code = "task-engine-failed"

    def __init__(self, number: TaskNumber) -> None:
        super().__init__(
            f"the engine gave task {number} up before it began: see the workers' logs,"
            f" then 'corral task retry {number}'"
        )


class TaskInternalError(EnvironmentFaultError):
    """The task met an error that the farm does not know. The worker's log has its traceback."""

    code = "task-internal-error"

    def __init__(self, kind: str) -> None:
        super().__init__(
            f"it met an error that is not known ({kind}): the log of its worker says more"
        )


class TaskWatchersFullError(TryAgainError):
    """As many programs follow tasks by events as one API process serves at once."""

    code = "task-watchers-full"

    def __init__(self, most: int) -> None:
        super().__init__(
            f"{most} programs follow tasks already, as many as may at once: try again when one"
            " has ended, or ask for the task now and then"
        )


class SealingFailedError(RefusedError):
    """A server could not make a version of what was written; its device may go on writing."""

    code = "sealing-failed"

    def __init__(self, image: str, problem: str) -> None:
        super().__init__(
            f"what was written over {image} could not be sealed: {problem or 'no reason is known'};"
            f" 'corral image show {image}' says where it is; seal it again when that is put right"
        )


class TaskKindUnknownError(InvalidInputError):
    """No task is of that kind."""

    code = "task-kind-unknown"

    def __init__(self, kind: str, known: Iterable[str]) -> None:
        super().__init__(f"no task is of the kind {kind!r}: the kinds are {', '.join(known)}")


class TaskArgumentsInvalidError(InvalidInputError):
    """A task's arguments are not those that its kind takes."""

    code = "task-arguments-invalid"

    def __init__(self, kind: str, reason: str, known: Iterable[str]) -> None:
        super().__init__(f"{kind}: {reason}; its arguments are {', '.join(known)}")


class ScheduleUnknownError(UnknownThingError):
    """No schedule has that name. `corral schedule list` lists them."""

    code = "schedule-unknown"

    def __init__(self, name: str) -> None:
        super().__init__(f"there is no schedule {name}: 'corral schedule list' lists them")


class ScheduleNameTakenError(TakenError):
    """A schedule has that name already."""

    code = "schedule-name-taken"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"there is a schedule {name} already: choose another name, or"
            f" 'corral schedule remove {name}' first"
        )


class ScheduleInvalidError(InvalidInputError):
    """The times of a schedule are not five fields of cron, or its time zone is not known."""

    code = "schedule-invalid"

    def __init__(self, text: str, reason: str) -> None:
        super().__init__(
            f"{text!r} says no times: {reason}; five fields are expected (minute, hour, day of the"
            " month, month, day of the week), such as '30 2 * * *' for every day at half past two"
        )


class ScheduleNotRunningError(RefusedError):
    """The schedule has no run under way that could be cancelled."""

    code = "schedule-not-running"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"no run of the schedule {name} is under way: 'corral schedule list' says when the"
            " next one begins"
        )


class StoreUnhealedError(DamagedError):
    """A scrub found damage, and no server of the farm has what is needed to heal it."""

    code = "store-unhealed"

    def __init__(self, server: str, chunks: int, versions: Sequence[object]) -> None:
        names = ", ".join(map(str, versions)) or "no published version"
        super().__init__(
            f"{chunks} damaged chunks of {server} could not be had from any server; affected:"
            f" {names}. Start a server that holds them, and {server} heals by itself;"
            " if none does, import them again"
        )


class StoreFoundDamagedError(DamagedError):
    """A task read a store, and some of its chunks are not what their names say."""

    code = "store-found-damaged"

    def __init__(self, server: str, damaged: int, looked_at: int) -> None:
        super().__init__(
            f"{damaged} of {looked_at} chunks of {server} are damaged:"
            f" 'corral store heal {server}' fetches sound ones"
        )


class TaskBeforeRestoreError(RefusedError):
    """The farm was restored from a backup that was taken while the task was under way.

    What it has done since then is not known to the restored farm. Look whether it is still wanted;
    `corral task retry` begins it again.
    """

    code = "task-before-restore"

    def __init__(self) -> None:
        super().__init__(
            "the farm was restored from a backup that was taken while this was under way:"
            " 'corral task retry' begins it again"
        )
