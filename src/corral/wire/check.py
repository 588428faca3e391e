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
    not_applicable: tuple[NotApplicable, ...]
