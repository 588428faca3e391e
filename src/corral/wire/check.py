"""What the farm check has found, as the API tells it."""

from datetime import datetime
from typing import Literal

from corral.wire.message import ExportName, Message, Name, Part, RootHex


class Finding(Part):
    """One thing that is not as it should be."""

    code: str
    """Stable; the table is in the reference."""
    severity: Literal["error", "warning", "notice"]
    object: str
    """What it is about, such as ``server s1``."""
    message: str
    way_out: str
    devices: tuple[str, ...] = ()
    """All devices that it concerns, where ``message`` names only some of them."""
    computers: tuple[str, ...] = ()
    """All computers that it concerns, likewise."""


class CheckedVersion(Part):
    """Which servers can serve a version now, by its root."""

    version: ExportName
    root: RootHex
    servers: tuple[Name, ...]
    running: int
    starting: int


class NotApplicable(Part):
    """Something that was not looked at, and why."""

    check: str
    why: str


class FarmCheck(Message):
    """The answer to ``GET /v1/farm/check``."""

    farm: Name
    at: datetime
    passed: bool
    """Nothing above a notice was found."""
    findings: tuple[Finding, ...]
    """Worst first."""
    versions: tuple[CheckedVersion, ...]
    login_addresses: tuple[str, ...] = ()
    """Where a device could log in now, if its own list names it: URLs of the API, and management
    addresses of servers."""
    not_applicable: tuple[NotApplicable, ...]
