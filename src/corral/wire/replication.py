"""Which server has how much of which version, and the rules by which copies flow."""

from corral.wire.message import Bytes, ExportName, Message, Name, Part, RootHex


class CopyItem(Part):
    """One version on one server."""

    version: ExportName
    root: RootHex
    server: Name
    state: str
    """``in step``, ``shared``, ``copying``, ``missing``, ``damaged``, ``surplus``, ``leaving`` or
    ``unreachable``."""
    done_bytes: Bytes
    left_bytes: Bytes
    seconds_left: int | None
    problem: str


class Replication(Message):
    """The answer to ``GET /v1/replication``."""

    copies: tuple[CopyItem, ...]


class Copies(Message):
    """How many servers of a store hold each of its versions."""

    copies: int | None
    """None for all of them."""


class PlannedCopy(Part):
    """A copy that a policy would have come or go."""

    version: ExportName
    server: Name
    why: str = ""
    """Of one that goes: what it waits for, if anything."""


class CopiesPlan(Message):
    """The answer to ``GET /v1/stores/{name}/copies``: what a policy would do; nothing is done."""

    copies: int | None
    comes: tuple[PlannedCopy, ...]
    goes: tuple[PlannedCopy, ...]


class Window(Part):
    """A time of each day with a rate of its own."""

    between: str
    """``HH:MM-HH:MM``; over night if the second is the earlier one."""
    rate: int
    """Bytes a second."""


class Bandwidth(Message):
    """What copies may take of the line to a site's servers together."""

    rate: int | None = None
    """Bytes a second outside the windows; none for no limit."""
    windows: tuple[Window, ...] = ()
    zone: str = "UTC"
