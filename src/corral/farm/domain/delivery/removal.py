"""Whether the farm can do without a server: the proof before it is removed.

Two cases, and nothing between them. A server that is heard of is removed when nobody needs it and
nothing is on it alone. One that is silent is removed only with somebody's word that its disk is
gone; then what it kept for single devices is lost already, and only what was promised to all, the
published versions, must be elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from corral.farm.domain.delivery.device import DeviceName
    from corral.farm.domain.delivery.safety import Stranded
    from corral.farm.domain.estate.server import ServerName
    from corral.farm.domain.image.image import ImageName
    from corral.farm.domain.image.overlay import OverlayKind
    from corral.farm.domain.image.version import VersionName
    from corral.farm.domain.task.number import TaskNumber


@dataclass(frozen=True)
class KeptDisk:
    """What a device wrote, kept by one server."""

    device: DeviceName
    version: VersionName
    kind: OverlayKind
    is_given_up: bool
    """Its device does not run, and throws it away when it starts next."""

    def __str__(self) -> str:
        return f"{self.kind} disk of {self.device} over {self.version}"


@dataclass(frozen=True)
class HeldCopy:
    """A published version all of which the server has, or once had."""

    version: VersionName
    is_elsewhere: bool
    """Whether another server that is heard of holds all of it."""


@dataclass(frozen=True)
class LeavingServer:
    """A server that is to go, and everything that would go with it."""

    name: ServerName
    is_heard_of: bool
    has_reported: bool
    """Whether its stream process was ever heard of."""
    streaming: tuple[str, ...] = ()
    """Devices whose place it is, or that are connected to it; addresses of whom nobody knows."""
    stranded: tuple[Stranded, ...] = ()
    """Those of them that would be at risk elsewhere."""
    starting: tuple[DeviceName, ...] = ()
    """Devices that do not run, and could start from no other server."""
    only_images: tuple[ImageName, ...] = ()
    """Images that may be had from it only, because somebody said so."""
    copies: tuple[HeldCopy, ...] = ()
    disks: tuple[KeptDisk, ...] = ()
    tasks: tuple[TaskNumber, ...] = ()
    """Tasks that work on its store now."""

    @property
    def is_silent(self) -> bool:
        """Whether it may be streaming without the farm's knowledge."""
        return self.has_reported and not self.is_heard_of


class Need(StrEnum):
    """Why the farm cannot do without a server."""

    STREAMING = "devices stream from it"
    STRANDED = "devices of it would be at risk elsewhere"
    STARTING = "devices can start from no other server"
    ONLY = "images may be had from it only"
    COPY = "no other server that is heard of has all of"
    DISK = "only it keeps what devices wrote"
    TASK = "tasks work on it"


@dataclass(frozen=True)
class Needed:
    """A need, and whose it is."""

    need: Need
    whose: tuple[str, ...]


def needs(leaving: LeavingServer, *, is_lost: bool) -> tuple[Needed, ...]:
    """Give what speaks against the removal; with ``is_lost``, its disk is known to be gone."""
    found = _needs_of_all(leaving) if is_lost else _every_need(leaving)
    return tuple(Needed(need, whose) for need, whose in found if whose)


def _needs_of_all(leaving: LeavingServer) -> Iterator[tuple[Need, tuple[str, ...]]]:
    only_here = (copy.version for copy in leaving.copies if not copy.is_elsewhere)
    yield Need.COPY, _texts(sorted(only_here))


def _every_need(leaving: LeavingServer) -> Iterator[tuple[Need, tuple[str, ...]]]:
    yield Need.STREAMING, leaving.streaming
    yield Need.STRANDED, _texts(leaving.stranded)
    yield Need.STARTING, _texts(leaving.starting)
    yield Need.ONLY, _texts(leaving.only_images)
    yield from _needs_of_all(leaving)
    yield Need.DISK, _texts(disk for disk in leaving.disks if not disk.is_given_up)
    yield Need.TASK, _texts(leaving.tasks)


def _texts(things: Iterable[object]) -> tuple[str, ...]:
    return tuple(map(str, things))
