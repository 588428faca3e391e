"""Whether the farm may be upgraded now. Pure: what was seen in, what is in the way out.

Nothing here can be forced: what is in the way is named, with what ends it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from corral.farm.domain.check.finding import Severity
from corral.farm.domain.library.compatibility import Forbidden, laggards, may_upgrade
from corral.farm.domain.library.manifest import FarmManifest
from corral.farm.domain.upgrade.obstacle import Obstacle

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from corral.farm.domain.check.finding import Finding
    from corral.farm.domain.estate.server import ServerName
    from corral.farm.domain.library.compatibility import EngineFacts
    from corral.farm.domain.library.manifest import ReleaseManifest
    from corral.farm.domain.library.release import Release
    from corral.farm.domain.task.task import Task
    from corral.farm.domain.upgrade.acceptance import Acceptance
    from corral.farm.domain.upgrade.inventory import VerifiedBackup
    from corral.farm.domain.upgrade.plan import Blocked

BACKUP_AGE: Final = timedelta(days=1)
"""An upgrade is taken back to what the backup before it has."""


@dataclass(frozen=True)
class Hindrance:
    """One thing that is in the way."""

    obstacle: Obstacle
    thing: str
    """What it is about: ``server s1``, ``task 7``, ``computer laptop``."""
    message: str

    @property
    def risk(self) -> str:
        """What an acceptance names."""
        return f"{self.obstacle.code} {self.thing}"


@dataclass(frozen=True)
class Staged:
    """How much of the kit a server has on its own disk."""

    server: ServerName
    done_bytes: int
    total_bytes: int
    is_complete: bool


@dataclass(frozen=True)
class SeenImage:
    """An image whose newest version has guest tools that somebody named."""

    name: str
    guest_tools: Release


@dataclass(frozen=True)
class SeenFarm:
    """What matters for an upgrade, as of one moment."""

    now: Release
    to: ReleaseManifest
    known: tuple[ReleaseManifest, ...]
    """What every release says that is in the library."""
    servers: tuple[Staged, ...]
    computers: tuple[tuple[str, EngineFacts | None], ...]
    findings: tuple[Finding, ...]
    tasks: tuple[Task, ...]
    """Those that are active."""
    rollouts: tuple[str, ...]
    """Those that are under way."""
    backup: VerifiedBackup | None
    """The newest that was verified."""
    unanswered: tuple[tuple[ServerName, str], ...] = ()
    """Servers that live, each with the addresses of theirs at which nobody answers, and why."""
    images: tuple[SeenImage, ...] = ()
    planned: tuple[Blocked, ...] = ()
    """What the planner would stop at, were the upgrade begun now."""


def check_upgrade(seen: SeenFarm) -> tuple[Hindrance, ...]:
    """Give everything that is in the way, in the order in which people take it out of it."""
    return (
        *_of_release(seen),
        *_of_computers(seen),
        *_of_kit(seen),
        *_of_findings(seen),
        *_of_ports(seen),
        *_of_rollouts(seen),
        *_of_tasks(seen),
        *_of_backups(seen),
        *_of_the_plan(seen),
    )


def parted(
    hindrances: Sequence[Hindrance], acceptances: Sequence[Acceptance], now: datetime
) -> tuple[tuple[Hindrance, ...], tuple[tuple[Hindrance, Acceptance], ...]]:
    """Part what stands in the way from what somebody has accepted at that moment."""
    standing: list[Hindrance] = []
    accepted: list[tuple[Hindrance, Acceptance]] = []
    for one in hindrances:
        said = next((it for it in acceptances if it.covers(one.risk, now)), None)
        if said is None or not one.obstacle.can_be_accepted:
            standing.append(one)
        else:
            accepted.append((one, said))
    return tuple(standing), tuple(accepted)


def to_republish(seen: SeenFarm) -> tuple[str, ...]:
    """Give the images whose guest tools are older than those that the release brings."""
    said = seen.to.facts
    tools = said.guest_tools if isinstance(said, FarmManifest) else None
    if tools is None:
        return ()
    return tuple(sorted(one.name for one in seen.images if one.guest_tools < tools))


OWN: Final = frozenset(
    {
        Obstacle.RELEASE_FORBIDDEN,
        Obstacle.COMPUTERS_BEHIND,
        Obstacle.KIT_NOT_STAGED,
        Obstacle.FARM_UNSOUND,
        Obstacle.ROLLOUT_UNDER_WAY,
        Obstacle.TASK_ACTIVE,
        Obstacle.BACKUP_LACKING,
        Obstacle.BACKUP_UNREAD,
    }
)
"""What is looked at here more closely than for a single step."""


def _of_the_plan(seen: SeenFarm) -> Iterator[Hindrance]:
    for one in seen.planned:
        if one.what.obstacle not in OWN:
            yield Hindrance(one.what.obstacle, one.what.thing, one.what.message)


def _of_release(seen: SeenFarm) -> Iterator[Hindrance]:
    verdict = may_upgrade(seen.now, seen.to, seen.known)
    if isinstance(verdict, Forbidden):
        yield Hindrance(Obstacle.RELEASE_FORBIDDEN, seen.to.name, str(verdict))


def _of_computers(seen: SeenFarm) -> Iterator[Hindrance]:
    for one in laggards(seen.to, seen.computers):
        heard = "" if one.seen_at is None else f"; last heard of {one.seen_at:%Y-%m-%d %H:%M}"
        yield Hindrance(
            Obstacle.COMPUTERS_BEHIND, f"computer {one.computer}", f"{one.why.words}{heard}"
        )


def _of_kit(seen: SeenFarm) -> Iterator[Hindrance]:
    for one in seen.servers:
        if not one.is_complete:
            share = 100 * one.done_bytes // max(one.total_bytes, 1)
            message = f"it has {share} % of {seen.to.name}"
            yield Hindrance(Obstacle.KIT_NOT_STAGED, f"server {one.server}", message)


def _of_findings(seen: SeenFarm) -> Iterator[Hindrance]:
    for one in seen.findings:
        if one.kind.severity is Severity.ERROR:
            message = f"{one.kind.code}: {one.message}"
            yield Hindrance(Obstacle.FARM_UNSOUND, one.thing, message)


def _of_ports(seen: SeenFarm) -> Iterator[Hindrance]:
    for server, why in seen.unanswered:
        yield Hindrance(Obstacle.PORT_UNREACHABLE, f"server {server}", why)


def _of_rollouts(seen: SeenFarm) -> Iterator[Hindrance]:
    for name in seen.rollouts:
        yield Hindrance(Obstacle.ROLLOUT_UNDER_WAY, f"rollout {name}", "it is under way")


def _of_tasks(seen: SeenFarm) -> Iterator[Hindrance]:
    for task in seen.tasks:
        again = f"; begun by schedule {task.request.schedule}" if task.request.schedule else ""
        message = (
            f"{task.request.kind.value} of {task.request.object or 'the farm'} is"
            f" {task.state.value} since {task.created_at:%Y-%m-%d %H:%M}{again}"
        )
        yield Hindrance(Obstacle.TASK_ACTIVE, f"task {task.number}", message)


def _of_backups(seen: SeenFarm) -> Iterator[Hindrance]:
    if seen.backup is None:
        yield Hindrance(Obstacle.BACKUP_LACKING, "farm", "none was ever verified")
        return
    age, reader = seen.backup.age, seen.backup.read_by
    if age > BACKUP_AGE:
        hours = age.total_seconds() / 3600
        message = f"the newest that was verified is {hours:.0f} hours old"
        yield Hindrance(Obstacle.BACKUP_LACKING, "farm", message)
    elif reader != seen.to.release:
        by = "by no other release" if reader is None else f"by {reader}"
        message = f"the newest that was verified was read {by}, and not by {seen.to.release}"
        yield Hindrance(Obstacle.BACKUP_UNREAD, "farm", message)
