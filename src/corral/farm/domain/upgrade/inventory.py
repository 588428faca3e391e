"""What was seen of a farm that is upgraded, as of one moment. Facts only; nothing is concluded.

Each thing that a server says is as old as its last report: ``configured`` says of which of the
farm's wishes it knew then.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from datetime import datetime

    from corral.farm.domain.check.finding import Finding
    from corral.farm.domain.delivery.placement import Placement
    from corral.farm.domain.estate.server import ServerId, ServerName
    from corral.farm.domain.library.compatibility import EngineFacts
    from corral.farm.domain.library.manifest import ReleaseManifest
    from corral.farm.domain.library.release import Release
    from corral.farm.domain.task.task import Task


@dataclass(frozen=True)
class SeenServer:
    """A server or a relay."""

    id: ServerId
    name: ServerName
    is_relay: bool
    is_online: bool
    """Whether it was heard of within ``ONLINE_FOR``."""
    reported_at: datetime | None
    configured: int
    """The farm's generation whose configuration it followed when it reported."""
    release: Release | None
    """What it runs; none if it never said."""
    installed: frozenset[Release]
    """What lies on its own disk, unpacked and checked, beside what it runs."""
    order: int
    """The number of the highest order about releases that its supervisor has obeyed; 0 if none."""
    is_ready: bool
    """Whether the running release has passed its self-test since its start."""
    is_supervised: bool
    """Whether something runs there that can install and switch releases."""
    session_count: int
    is_draining: bool
    """The farm's own flag: it gets no new devices, and those that it has move on."""
    is_resting: bool
    """Of a relay: whether it serves nothing because it was told to rest."""
    is_in_maintenance: bool
    staged: frozenset[Release]
    """Those whose kits it has on its own disk, with all chunks."""
    problem: str = ""
    """Why it could not do an order; empty if it could, or has not tried yet."""
    problem_of: int = 0
    """The number of the order that the problem is about."""


@dataclass(frozen=True)
class SeenSchema:
    """How far the database is."""

    step: str
    """The revision that it is at."""
    readable_from: str
    """The oldest newest-known-revision of a release that still works on it."""
    is_reachable: bool = True
    problem: str = ""
    """Why it could not be changed; empty if it could, or nobody has tried yet."""
    problem_of: int = 0
    """The generation of the blueprint that the problem is about."""


@dataclass(frozen=True)
class VerifiedBackup:
    """A backup that was restored once to a scratch place, and found good."""

    age: timedelta
    step: str
    """The revision of the schema that it holds."""
    epoch: int
    """Of the farm when it was taken."""
    read_by: Release | None = None
    """The other release whose own programs have read it; none if no one's have."""
    has_chunks: bool = False
    """Whether the chunks of every version were copied beside it."""


@dataclass(frozen=True)
class Canary:
    """A device's reads through one server were compared, chunk by chunk, with their names."""

    server: ServerId
    release: Release
    blueprint: int
    """The generation of the blueprint that asked for it."""
    at: datetime
    problem: str = ""
    """What was wrong; empty if every read was right."""


LATELY: Final = timedelta(days=7)
"""Whoever was not seen for longer does not keep an upgrade from being finalised."""
_OFTEN: Final = timedelta(minutes=10)


@dataclass(frozen=True)
class SeenConsole:
    """A command line that somebody has worked with lately."""

    who: str
    """``ann@desk``: who, and on which machine."""
    release: Release | None
    seen_at: datetime

    def is_news_after(self, known: SeenConsole) -> bool:
        """Whether it is worth writing down: it is another release, or minutes have passed."""
        return self.release != known.release or self.seen_at - known.seen_at >= _OFTEN


@dataclass(frozen=True)
class Inventory:
    """All of it."""

    seen_at: datetime
    epoch: int
    """How often the farm was restored from a backup: what is older counts no more."""
    servers: tuple[SeenServer, ...]
    placement: Placement
    schema: SeenSchema
    computers: tuple[tuple[str, EngineFacts | None], ...] = ()
    tasks: tuple[Task, ...] = ()
    """Those that are active."""
    rollouts: tuple[str, ...] = ()
    """Those that are under way."""
    findings: tuple[Finding, ...] = ()
    """Of the farm check."""
    backup: VerifiedBackup | None = None
    """The newest that was verified."""
    canaries: tuple[Canary, ...] = ()
    """The last of each server."""
    consoles: tuple[SeenConsole, ...] = ()
    """Those that were seen lately."""
    targets: tuple[tuple[str, Release | None], ...] = ()
    """The devices that stream, with the release of their clients; none if it is not known."""
    known: tuple[ReleaseManifest, ...] = ()
    """What every release says that is in the library."""
    workers: frozenset[str] | None = None
    """Those that live, as ``by_worker`` names them; none if that is not known."""
