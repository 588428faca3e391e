"""Publish what a server has sealed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corral.farm.application.note_releases import note_releases
from corral.farm.domain.image.change import PUBLISH, VersionChange
from corral.farm.domain.image.overlay import OverlayCondition, OverlayPhase, Promotion
from corral.farm.domain.image.replica import Replica, ReplicaState
from corral.farm.domain.image.standing import VersionEvent
from corral.farm.domain.image.version import Access, Version, VersionName, VersionNumber

if TYPE_CHECKING:
    from datetime import datetime

    from corral.farm.application.ports.farm_key import FarmKey
    from corral.farm.application.ports.records import Records
    from corral.farm.domain.image.overlay import Overlay, SeenOverlay


def finish_sealing(  # noqa: PLR0913, PLR0917 - what was sealed, and who publishes it when
    records: Records,
    overlay: Overlay,
    seen: SeenOverlay,
    key: FarmKey,
    now: datetime,
    release: str,
) -> Version | None:
    """Give the new version, if ``seen`` says that the overlay is one now.

    Once, whatever the server reports how often: with the version the overlay is gone.
    """
    root, promotion = seen.sealed_root, overlay.promotion
    if (
        overlay.phase is not OverlayPhase.SEALING
        or seen.condition is not OverlayCondition.SEALED
        or root is None
        or promotion is None
    ):
        return None
    image = records.images.with_id(overlay.image_id)
    sealed = Version(
        image_id=image.id,
        name=VersionName(image.name, VersionNumber(image.last_number + 1)),
        root=root,
        size_bytes=seen.sealed_bytes or overlay.size_bytes,
        signature=key.sign(root.signed_message()),
        published_at=now,
        description=promotion.description,
        access=Access.MAINTENANCE,
        published_with=release,
    )
    version = _promoted(sealed, promotion).changed(promotion.by, now)
    records.versions.publish(version)
    _note(records, version, promotion, now)
    _replicate(records, overlay, version, now)
    records.overlays.remove(overlay.id)
    records.farm.raise_generation()
    note_releases(records, (version,), now)
    return records.versions.get(version.name)


def _promoted(sealed: Version, promotion: Promotion) -> Version:
    match promotion.access:
        case Access.MAINTENANCE:
            return sealed
        case Access.TEST:
            return sealed.after(VersionEvent.PROMOTE_TO_TEST)
        case Access.PRODUCTION:
            return sealed.promoted(promotion.release_at)


def _note(records: Records, version: Version, promotion: Promotion, now: datetime) -> None:
    what = [PUBLISH]
    if promotion.access is Access.TEST:
        what.append(VersionEvent.PROMOTE_TO_TEST)
    if promotion.access is Access.PRODUCTION:
        what.append(VersionEvent.PROMOTE_TO_PRODUCTION)
    for one in what:
        records.version_changes.note(
            VersionChange(version.image_id, version.number, now, promotion.by, one)
        )


def _replicate(records: Records, overlay: Overlay, version: Version, now: datetime) -> None:
    """Have every server that serves the version below serve this one, too."""
    for below in records.replicas.of_root(overlay.base):
        if below.server_id != overlay.server_id and not below.is_removing:
            _want(
                records, Replica(below.server_id, version.root, now, total_bytes=version.size_bytes)
            )
    records.replicas.put(
        Replica(
            server_id=overlay.server_id,
            root=version.root,
            wanted_at=now,
            state=ReplicaState.COMPLETE,
            done_bytes=version.size_bytes,
            total_bytes=version.size_bytes,
            reported_at=now,
            completed_at=now,
        )
    )


def _want(records: Records, replica: Replica) -> None:
    known = records.replicas.find(replica.server_id, replica.root)
    if known is None or known.is_removing:
        records.replicas.put(replica)
