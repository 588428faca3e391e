"""What a device that starts writes to, if that is kept on a server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from corral.farm.application.kind_of_device import kind_of
from corral.farm.application.note_releases import versions_as_of, wait_of
from corral.farm.application.overlays_in_force import (
    held_version,
    overlays_in_force,
    refuse_unheard,
)
from corral.farm.domain.delivery.errors import (
    DeviceUnassignedError,
    ImageWithoutVersionError,
    RunningVersionUnknownError,
)
from corral.farm.domain.image.choice import version_to_start
from corral.farm.domain.image.overlay import (
    Overlay,
    OverlayId,
    OverlayKind,
    OverlayPhase,
)
from corral.farm.domain.image.overlay_errors import (
    OverlayFailedError,
    OverlayNotReadyError,
    OverlaySealingError,
    OverlayServerAwayError,
)
from corral.farm.domain.image.standing import Standing
from corral.farm.domain.image.version import running_version
from corral.farm.domain.image.version_errors import VersionWaitsError
from corral.farm.domain.image.write_cache import ImageMode, UsedCache, WriteCache

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from corral.farm.application.ports.records import Records
    from corral.farm.application.ports.sources import IdSource
    from corral.farm.domain.delivery.device import Device
    from corral.farm.domain.estate.server import Server
    from corral.farm.domain.image.image import Image
    from corral.farm.domain.image.root import RootHash
    from corral.farm.domain.image.version import Version
    from corral.farm.domain.image.write_cache import CacheSetting


@dataclass(frozen=True)
class Told:
    """What a device says of its own write cache when it logs in."""

    has_disk: bool | None = None
    """Whether it found a disk for it; None if it did not look."""
    kind: WriteCache | None = None
    """What it uses, from one that runs."""
    limit_bytes: int | None = None
    used_bytes: int | None = None
    problem: str = ""

    def used(self, now: datetime) -> UsedCache | None:
        """Give what is to be remembered of it."""
        if self.kind is None:
            return None
        return UsedCache(self.kind, now, self.limit_bytes, self.used_bytes, self.problem)


@dataclass(frozen=True)
class Start:
    """What a device starts."""

    version: Version
    """The version that it starts from; of a writable disk, the one below."""
    cache: WriteCache
    """Where it is to write; where a server keeps its writes for good this says nothing."""
    setting: CacheSetting
    """What that was made of."""
    kind: OverlayKind | None = None
    """What its writes on a server are for, if they go there."""
    overlay: Overlay | None = None
    """Where; none if one has to be made first."""


def start_of(records: Records, device: Device, told: Told, now: datetime) -> Start:
    """Say what the device would start now, changing nothing.

    Raises ``DeviceUnassignedError``, ``ImageWithoutVersionError``, ``VersionWaitsError``,
    ``CacheDiskMissingError``.
    """
    if device.assignment is None:
        raise DeviceUnassignedError(device.name)
    image = records.images.with_id(device.assignment.image_id)
    setting = setting_of(records, device, image)
    cache = used_cache(device, setting, told)
    in_force = overlays_in_force(records, device)
    mine = {one.kind: one for one in reversed(in_force) if one.image_id == image.id}
    for kind, applies in (
        (OverlayKind.MAINTENANCE, True),
        (OverlayKind.CUSTOM, image.mode is ImageMode.CUSTOM),
    ):
        overlay = mine.get(kind)
        if applies and overlay is not None:
            return Start(_base(records, device, overlay), cache, setting, kind, overlay)
    version = _version_to_start(records, device, image, now)
    if image.mode is ImageMode.CUSTOM:
        return Start(version, cache, setting, OverlayKind.CUSTOM)
    if not cache.is_on_server:
        return Start(version, cache, setting)
    kind = OverlayKind(cache.value)
    overlay = mine.get(kind)
    if overlay is not None and not _serves_again(records, overlay, version, now):
        overlay = None
    return Start(version, cache, setting, kind, overlay)


def prepare_start(  # noqa: PLR0913, PLR0917 - what one start needs
    records: Records,
    device: Device,
    told: Told,
    now: datetime,
    ids: IdSource,
    choose: Callable[[Version], Server],
) -> None:
    """Give up what a start gives up, and have a server make what the device will write to.

    Raises what :func:`start_of` and ``choose`` raise; ``FarmObservesError`` if the device may have
    a disk of its own on a server that a restored farm has not heard of.
    """
    start = start_of(records, device, told, now)
    kept = None if start.overlay is None else start.overlay.id
    for old in records.overlays.of_device(device.id):
        if old.kind.is_cache and old.id != kept:
            records.overlays.remove(old.id)
            records.farm.raise_generation()
    if start.kind is None or start.overlay is not None:
        return
    version = start.version
    limit = None
    if start.kind.is_cache:
        limit = start.setting.limit_bytes
    else:
        refuse_unheard(records)
    records.overlays.add(
        Overlay(
            id=OverlayId(ids.new()),
            kind=start.kind,
            image_id=version.image_id,
            number=version.number,
            device_id=device.id,
            server_id=choose(version).id,
            base=version.root,
            size_bytes=version.size_bytes,
            limit_bytes=limit or version.size_bytes,
            created_at=now,
            created_by=f"device {device.name}",
        )
    )
    records.farm.raise_generation()


def usable(records: Records, device: Device, start: Start, now: datetime) -> Server:
    """Give the server of what a start writes to, refused if the device cannot come there now.

    Raises ``OverlayNotReadyError``, ``OverlaySealingError``, ``OverlayServerAwayError``,
    ``OverlayFailedError``.
    """
    overlay = start.overlay
    if overlay is None:
        some = "of the farm"
        raise OverlayNotReadyError(device.name, some)
    server = records.servers.with_id(overlay.server_id)
    if overlay.phase is OverlayPhase.SEALING:
        raise OverlaySealingError(device.name, server.name)
    if not server.takes_devices(now):
        raise OverlayServerAwayError(device.name, server.name)
    if overlay.seen is None:
        raise OverlayNotReadyError(device.name, server.name)
    if not overlay.is_usable:
        raise OverlayFailedError(device.name, server.name, overlay.seen.problem)
    return server


def export_of(overlay: Overlay, image: str, device: str) -> str:
    """Give the name under which the device asks for what it writes to."""
    return f"{image}/{overlay.number}@{device}"


def running_overlay(records: Records, device: Device, root: RootHash) -> Overlay | None:
    """Give what a running device writes to, if it was sent to an overlay over that root."""
    return next(
        (
            overlay
            for overlay in overlays_in_force(records, device)
            if overlay.base == root
            and overlay.opened_at is not None
            and overlay.phase is OverlayPhase.OPEN
        ),
        None,
    )


def setting_of(records: Records, device: Device, image: Image) -> CacheSetting:
    """Give the device's own setting, or else its image's."""
    return records.device_caches.with_id(device.id).setting or image.write_cache


def used_cache(device: Device, setting: CacheSetting, told: Told) -> WriteCache:
    """Say where the device is to write; raises ``CacheDiskMissingError``."""
    return setting.without_disk(device.name) if told.has_disk is False else setting.kind


def _base(records: Records, device: Device, overlay: Overlay) -> Version:
    below = (v for v in records.versions.with_root(overlay.base) if v.image_id == overlay.image_id)
    version = running_version(below) or held_version(records, device, overlay.base)
    if version is None:
        raise RunningVersionUnknownError(device.name, overlay.base)
    return version


def _serves_again(records: Records, overlay: Overlay, version: Version, now: datetime) -> bool:
    """Whether what is there is what a start over ``version`` writes to."""
    if overlay.base != version.root:
        return False
    if overlay.kind is OverlayKind.SERVER_PERSISTENT:
        return True
    # Nobody has come to it yet; once somebody may have, the next start begins with an empty one.
    server = records.servers.with_id(overlay.server_id)
    return overlay.opened_at is None and server.takes_devices(now)


def _version_to_start(records: Records, device: Device, image: Image, now: datetime) -> Version:
    versions = versions_as_of(records, image.id, now)
    chosen = version_to_start(versions, kind_of(device), image.pinned)
    if chosen is not None:
        return chosen
    pending = [version for version in versions if version.standing is Standing.PENDING]
    if pending:
        waiting = pending[-1]
        raise VersionWaitsError(str(waiting.name), str(wait_of(records, waiting, now)))
    raise ImageWithoutVersionError(image.name)
