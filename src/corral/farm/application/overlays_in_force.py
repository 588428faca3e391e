"""What a device writes to on servers, as the records say, and servers once the farm was restored.

A restored farm does not know what was begun after its backup. Until somebody accepts that, a device
that goes on with it, or starts again, must find it, and no empty one in its place.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from corral.farm.domain.backup.errors import FarmObservesError
from corral.farm.domain.image.overlay import Overlay, OverlayCondition, SeenOverlay
from corral.farm.domain.image.version import Version, VersionName, running_version

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from corral.farm.application.ports.backups import Restoration
    from corral.farm.application.ports.records import Records
    from corral.farm.domain.backup.observation import HeldOverlay, Observation
    from corral.farm.domain.delivery.device import Device
    from corral.farm.domain.estate.server import ServerId
    from corral.farm.domain.image.root import RootHash


def overlays_in_force(records: Records, device: Device) -> Sequence[Overlay]:
    """Give them; of two of one kind over an image, the one in force comes first.

    What began since the farm was restored is newer than what servers say, and that is newer than
    the backup.
    """
    known = records.overlays.of_device(device.id)
    restoration = records.restorations.find()
    if restoration is None:
        return known
    told = _open(records)
    begun = [one for one in known if one.created_at >= restoration.restored_at]
    return (
        *begun,
        *(one for said in told for one in _held(records, device, said, known)),
        *(one for one in known if one not in begun and not _is_gone(one, told, restoration)),
    )


def held_version(records: Records, device: Device, root: RootHash) -> Version | None:
    """Give one that the farm has signed once, and does not know since it was restored."""
    for said in _open(records):
        for held in said.versions:
            image = records.images.find(held.name.image) if held.root == root else None
            if image is not None and device.may_run(image.id):
                return Version(
                    image_id=image.id,
                    name=held.name,
                    root=root,
                    size_bytes=held.size_bytes,
                    signature=held.signature,
                    published_at=said.heard_at,
                )
    return None


def overlay_of(
    held: HeldOverlay, server_id: ServerId, base: Version, now: datetime, by: str = ""
) -> Overlay:
    """Give what a server keeps as the records have it once it is adopted."""
    return Overlay(
        id=held.id,
        kind=held.kind,
        image_id=base.image_id,
        number=VersionName.parse(held.export.partition("@")[0]).number,
        device_id=held.device_id,
        server_id=server_id,
        base=held.base,
        size_bytes=base.size_bytes,
        limit_bytes=held.limit_bytes,
        created_at=now,
        created_by=by,
        opened_at=now,
    )


def refuse_unheard(records: Records) -> None:
    """Raise ``FarmObservesError`` while a server that was not heard of may have the device's own.

    Once somebody has accepted what differs, nobody waits for such a server any more.
    """
    restoration = records.restorations.find()
    if restoration is None or restoration.accepted_at is not None:
        return
    if any(records.observations.find(one.id) is None for one in records.servers.all()):
        raise FarmObservesError


def _open(records: Records) -> list[Observation]:
    return [one for one in records.observations.all() if one.settled_at is None]


def _held(
    records: Records, device: Device, said: Observation, known: Sequence[Overlay]
) -> Iterator[Overlay]:
    for held in said.overlays:
        if held.device_id != device.id or held.id in {one.id for one in known}:
            continue
        image = records.images.find(VersionName.parse(held.export.partition("@")[0]).image)
        versions = records.versions.with_root(held.base)
        base = running_version(one for one in versions if image and one.image_id == image.id)
        base = base or held_version(records, device, held.base)
        if base is not None:
            overlay = overlay_of(held, said.server_id, base, said.heard_at)
            seen = SeenOverlay(said.heard_at, OverlayCondition.READY)
            yield replace(overlay, seen=seen)


def _is_gone(one: Overlay, told: Sequence[Observation], restoration: Restoration) -> bool:
    """Whether its server, told more than the backup knows, was not told to keep it any more."""
    return any(
        said.server_id == one.server_id
        and said.generation > restoration.generation
        and one.id not in {held.id for held in said.overlays}
        for said in told
    )
