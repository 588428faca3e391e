"""What people's tools read and want of tasks and schedules."""

from collections.abc import Mapping
from typing import Annotated, TypeAlias

from pydantic import Field, StrictBool, StrictInt, StrictStr

from corral.wire.estate import Listed
from corral.wire.message import Bytes, Message, Name, Part, UnixSeconds

Argument: TypeAlias = StrictBool | StrictInt | StrictStr | tuple[StrictStr, ...]
Arguments = Annotated[Mapping[Name, Argument], Field(max_length=32)]
"""By the names that the kind takes; the reference of tasks lists them."""


class TaskFailure(Part):
    """Why a task failed."""

    code: str
    """One of the reference of errors."""
    message: str


class TaskItem(Part):
    """A task."""

    number: int
    kind: str
    object: str
    owner: str
    server: str | None
    """Whose store it needs to reach."""
    schedule: str | None
    state: str
    """queued, running, paused, done, failed or cancelled."""
    wish: str
    """What its worker is told to do: pause or cancel; empty for nothing."""
    waiting: str
    """Why it does not get on; empty where only its turn is missing."""
    run: int
    """How often it was queued."""
    in_terminal: bool
    worker: str
    created_at: UnixSeconds
    started_at: UnixSeconds | None
    ended_at: UnixSeconds | None
    counts: str
    """What the next four count: bytes, or devices for a task that moves some."""
    done_bytes: Bytes
    total_bytes: Bytes | None
    new_bytes: Bytes
    bytes_per_second: int
    seconds_left: int | None
    result: str
    failure: TaskFailure | None


class TaskList(Listed):
    """The answer to ``GET /v1/tasks``."""

    tasks: tuple[TaskItem, ...]


class TaskLogLine(Part):
    """Something that happened."""

    at: UnixSeconds
    text: str


class TaskDetails(Message):
    """Everything about a task."""

    task: TaskItem
    arguments: Mapping[str, Argument]
    log: tuple[TaskLogLine, ...]
    possible: tuple[str, ...]
    """What can be asked of it now: pause, resume, cancel, retry."""
    cancel_leaves: str
    """What is left when it is cancelled half way."""
    goes_on: str
    """What others do all the same while it is paused; empty where everything rests."""


class NewTask(Message):
    """The body of ``POST /v1/tasks``."""

    kind: Name
    arguments: Arguments = Field(default_factory=dict)


AtOnce = Annotated[int, Field(ge=0, le=1_000_000)]
Days = Annotated[int, Field(ge=0, le=1_000_000)]


class TaskRules(Message):
    """How many tasks run at once, and how long ended ones are kept."""

    of_kind: Mapping[Name, AtOnce]
    """Tasks of a kind in the whole farm."""
    of_server: AtOnce
    """Tasks that read or write the store of one server."""
    of_kind_on_server: AtOnce
    """Those of one kind."""
    without_server: AtOnce
    """Tasks that are bound to no server."""
    kept_days: Days
    revision: int


class TaskRulesEdit(Message):
    """The body of ``PATCH /v1/task-rules``; a rule that is not there stays as it is."""

    of_kind: Mapping[Name, AtOnce] = Field(default_factory=dict)
    of_server: AtOnce | None = None
    of_kind_on_server: AtOnce | None = None
    without_server: AtOnce | None = None
    kept_days: Days | None = None


class ScheduleItem(Part):
    """Tasks that begin by the clock."""

    name: Name
    times: str
    timezone: str
    kind: str
    object: str
    owner: str
    server: str | None
    arguments: Mapping[str, Argument]
    added_at: UnixSeconds
    last_run_at: UnixSeconds | None
    running_task: int | None


class ScheduleList(Listed):
    """The answer to ``GET /v1/schedules``."""

    schedules: tuple[ScheduleItem, ...]


class NewSchedule(Message):
    """The body of ``POST /v1/schedules``."""

    name: Name
    times: Annotated[str, Field(max_length=255)]
    """Five fields of cron."""
    timezone: Name = "UTC"
    kind: Name
    arguments: Arguments = Field(default_factory=dict)
