"""What people's tools say and hear about computers; what engines say is in ``engine``."""

from typing import Annotated
from uuid import UUID

from pydantic import Field

from corral.wire.engine import EngineFacts, KitReport
from corral.wire.estate import LineWindow, Listed, Revision, Text
from corral.wire.message import Message, Name, Part, UnixSeconds

Several = Annotated[tuple[Name, ...], Field(max_length=1000)]


class ComputerItem(Message):
    """A machine that runs the engine and keeps images locally."""

    id: UUID
    name: Name
    state: str
    collection: Name
    site: Name
    users: tuple[Name, ...]
    asked_for: str
    """Whom it named as its user when it asked."""
    description: str
    paused: bool
    rate: int | None
    """Bytes a second that fetching may take outside the windows; none for no limit."""
    windows: tuple[LineWindow, ...]
    """By the computer's own clock."""
    asked_at: UnixSeconds
    registered_at: UnixSeconds | None
    kill_told_at: UnixSeconds | None
    killed_at: UnixSeconds | None
    last_check_in_at: UnixSeconds | None
    address: str | None
    """Where its last check-in came from."""
    clock_offset_ms: int | None
    """Its clock minus the farm's."""
    engine: EngineFacts | None
    kit: KitReport | None
    generation: int | None
    """Of the orders that it was last given."""
    heard_generation: int | None
    """Of those that it has in force."""
    revision: Revision


class ComputerList(Listed):
    """The answer to ``GET /v1/computers``."""

    computers: tuple[ComputerItem, ...]


class Approval(Message):
    """The body of ``POST /v1/computers/{name}/approve``."""

    users: Several = ()
    """None: the one that it named."""
    collection: Name | None = None


class ComputerEdit(Message):
    """The body of ``PATCH /v1/computers/{name}``; what is left out stays."""

    collection: Name | None = None
    description: Text = ""
    paused: bool = False
    rate: int | None = None
    windows: tuple[LineWindow, ...] = ()
    """Given together with the rate: both replace what was."""
    add_users: Several = ()
    drop_users: Several = ()


class Retry(Message):
    """The body of ``POST /v1/computers/{name}/retry``."""

    image: Name
    users: Several = ()
    """None: all that use it."""


class ComputerEventItem(Part):
    """Something that happened on a computer, as it told it."""

    number: int
    at: UnixSeconds
    severity: str
    code: str
    text: str
    image: str | None


class ComputerEventList(Message):
    """The answer to ``GET /v1/computers/{name}/events``, the newest first."""

    events: tuple[ComputerEventItem, ...]


class NewCode(Message):
    """The body of ``POST /v1/computer-codes``."""

    user: Name | None = None
    """None: whom the computer names."""
    collection: Name | None = None
    seconds: int = 604_800
    """How long it works."""
    uses: int = 1


class CodeItem(Message):
    """A one-time code, without its secret."""

    id: UUID
    user: Name | None
    collection: Name | None
    uses_left: int
    works: bool
    created_at: UnixSeconds
    expires_at: UnixSeconds


class CodeList(Listed):
    """The answer to ``GET /v1/computer-codes``."""

    codes: tuple[CodeItem, ...]


class IssuedCode(Message):
    """A new code, which is never shown again."""

    id: UUID
    code: str
    expires_at: UnixSeconds
