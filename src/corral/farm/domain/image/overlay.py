"""An overlay: what one device writes over a version, kept by one server."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NewType
from uuid import UUID

from corral.farm.domain.image.overlay_errors import OverlayTransitionError
from corral.farm.domain.image.version import Access

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from corral.farm.domain.delivery.device import DeviceId
    from corral.farm.domain.estate.server import ServerId
    from corral.farm.domain.image.image import ImageId
    from corral.farm.domain.image.root import RootHash
    from corral.farm.domain.image.version import VersionNumber

OverlayId = NewType("OverlayId", UUID)


class OverlayKind(StrEnum):
    """What a device's writes on a server are for."""

    SERVER = "server"
    """Given up when the device starts again."""
    SERVER_PERSISTENT = "server-persistent"
    """Kept until the device starts another version, or it is reset."""
    MAINTENANCE = "maintenance"
    """To become the next version."""
    CUSTOM = "custom"
    """The device's own disk."""

    @property
    def is_cache(self) -> bool:
        """Whether losing it loses nothing that anybody was promised for ever."""
        return self in (OverlayKind.SERVER, OverlayKind.SERVER_PERSISTENT)


class OverlayPhase(StrEnum):
    """Where an overlay is in its life. One that was given up, or sealed, is no longer known."""

    OPEN = "open"
    """Its device may write."""
    SEALING = "sealing"
    """Nobody writes any more; its server makes it a version."""


class OverlayEvent(StrEnum):
    """What can happen to an overlay that stays one."""

    SEAL = "seal"
    REOPEN = "reopen"
    """The sealing failed, and its device goes on."""


_P, _E = OverlayPhase, OverlayEvent

OVERLAY_TRANSITIONS: Final[Mapping[tuple[OverlayPhase, OverlayEvent], OverlayPhase]] = (
    MappingProxyType(
        {
            (_P.OPEN, _E.SEAL): _P.SEALING,
            (_P.SEALING, _E.REOPEN): _P.OPEN,
        }
    )
)


class OverlayCondition(StrEnum):
    """What a server last said that an overlay is good for."""

    READY = "ready"
    FULL = "full"
    """It takes no new blocks; the device gets "no space left" for such a write."""
    FAILED = "failed"
    SEALED = "sealed"


@dataclass(frozen=True)
class SeenOverlay:
    """What its server last said of an overlay."""

    at: datetime
    condition: OverlayCondition
    written_bytes: int = 0
    allocated_bytes: int = 0
    """What its blocks take of the limit."""
    clients: int = 0
    problem: str = ""
    sealed_root: RootHash | None = None
    sealed_bytes: int | None = None
    """How large the disk of the sealed version is."""
    sealing_done_bytes: int = 0
    """Of what was written, that which its sealing has read."""
    sealing_total_bytes: int = 0
    """What its sealing has to read; 0 while nobody seals it."""


@dataclass(frozen=True)
class Promotion:
    """What becomes of an overlay when it is sealed."""

    access: Access = Access.TEST
    release_at: datetime | None = None
    description: str = ""
    by: str = ""


@dataclass(frozen=True)
class Overlay:
    """What one device writes over a version; at most one of each image, device and kind."""

    id: OverlayId
    kind: OverlayKind
    image_id: ImageId
    number: VersionNumber
    """Of the export: the version below, or for maintenance the one that it is to become."""
    device_id: DeviceId
    server_id: ServerId
    base: RootHash
    """The version below."""
    size_bytes: int
    """How large the disk is."""
    limit_bytes: int
    """What the written blocks may take on the server."""
    created_at: datetime
    created_by: str = ""
    phase: OverlayPhase = OverlayPhase.OPEN
    opened_at: datetime | None = None
    """When its device was first sent to it; from then on it may have been written to."""
    promotion: Promotion | None = None
    seen: SeenOverlay | None = None
    revision: int = 1

    def after(self, event: OverlayEvent) -> Overlay:
        """Give the overlay as it is after ``event``, refused if the table has no such arrow."""
        try:
            phase = OVERLAY_TRANSITIONS[self.phase, event]
        except KeyError:
            raise OverlayTransitionError(self.kind, self.phase, event) from None
        return replace(self, phase=phase)

    def sealing(self, promotion: Promotion) -> Overlay:
        """Give the overlay as it is once nobody may write to it any more."""
        return replace(self.after(OverlayEvent.SEAL), promotion=promotion)

    def opened(self, now: datetime) -> Overlay:
        """Give the overlay as it is once its device was sent to it."""
        return replace(self, opened_at=self.opened_at or now)

    def changed(self) -> Overlay:
        """Give the overlay with the mark that it was changed once more."""
        return replace(self, revision=self.revision + 1)

    @property
    def is_untouched(self) -> bool:
        """Whether its server last said that no block of it was written, nor given up."""
        seen = self.seen
        is_open = seen is not None and seen.condition is OverlayCondition.READY
        return is_open and seen is not None and seen.written_bytes == 0

    @property
    def is_usable(self) -> bool:
        """Whether its server said that a device can come."""
        return self.seen is not None and self.seen.condition in (
            OverlayCondition.READY,
            OverlayCondition.FULL,
        )
