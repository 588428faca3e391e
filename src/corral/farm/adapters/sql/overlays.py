"""Overlays in SQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, insert, select, update

from corral.farm.adapters.sql.tables import overlay as table
from corral.farm.domain.delivery.device import DeviceId
from corral.farm.domain.estate.server import ServerId
from corral.farm.domain.image.image import ImageId
from corral.farm.domain.image.overlay import (
    Overlay,
    OverlayCondition,
    OverlayId,
    OverlayKind,
    OverlayPhase,
    Promotion,
    SeenOverlay,
)
from corral.farm.domain.image.overlay_errors import OverlayChangedError, OverlayUnknownError
from corral.farm.domain.image.root import RootHash
from corral.farm.domain.image.version import Access, VersionNumber

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement, Connection, Row

_OVERLAYS = select(table).order_by(table.c.created_at, table.c.id)


class SqlOverlays:
    """A row each, with what its server last said."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, overlay: Overlay) -> None:
        """Add one."""
        self._connection.execute(insert(table).values(_values(overlay)))

    def with_id(self, overlay_id: OverlayId) -> Overlay:
        """Give the one with that id."""
        found = self.find(overlay_id)
        if found is None:
            raise OverlayUnknownError(str(overlay_id))
        return found

    def find(self, overlay_id: OverlayId) -> Overlay | None:
        """Give the one with that id, if there is one."""
        found = self._select(table.c.id == overlay_id)
        return found[0] if found else None

    def of_server(self, server_id: ServerId) -> Sequence[Overlay]:
        """Give those that a server keeps."""
        return self._select(table.c.server_id == server_id)

    def of_device(self, device_id: DeviceId) -> Sequence[Overlay]:
        """Give those that a device writes."""
        return self._select(table.c.device_id == device_id)

    def of_image(self, image_id: ImageId) -> Sequence[Overlay]:
        """Give those over versions of an image."""
        return self._select(table.c.image_id == image_id)

    def of_base(self, root: RootHash) -> Sequence[Overlay]:
        """Give those over a root."""
        return self._select(table.c.base == root.hex)

    def all(self) -> Sequence[Overlay]:
        """Give all of them."""
        return self._select()

    def change(self, seen: Overlay, after: Overlay) -> None:
        """Change the row if its revision is still the one that was seen."""
        changed = self._connection.execute(
            update(table)
            .where(table.c.id == seen.id, table.c.revision == seen.revision)
            .values(_values(after))
        )
        if changed.rowcount != 1:
            raise OverlayChangedError(str(seen.id))

    def set_seen(self, overlay_id: OverlayId, seen: SeenOverlay) -> None:
        """Overwrite its columns."""
        changed = self._connection.execute(
            update(table)
            .where(table.c.id == overlay_id)
            .values(
                seen_at=seen.at,
                seen_condition=seen.condition.value,
                seen_written_bytes=seen.written_bytes,
                seen_allocated_bytes=seen.allocated_bytes,
                seen_clients=seen.clients,
                seen_problem=seen.problem,
                sealed_root=None if seen.sealed_root is None else seen.sealed_root.hex,
                sealed_bytes=seen.sealed_bytes,
                sealing_done_bytes=seen.sealing_done_bytes,
                sealing_total_bytes=seen.sealing_total_bytes,
            )
        )
        if changed.rowcount != 1:
            raise OverlayUnknownError(str(overlay_id))

    def remove(self, overlay_id: OverlayId) -> None:
        """Delete the row."""
        self._connection.execute(delete(table).where(table.c.id == overlay_id))

    def _select(self, *conditions: ColumnElement[bool]) -> list[Overlay]:
        return [_from(row) for row in self._connection.execute(_OVERLAYS.where(*conditions))]


def _values(overlay: Overlay) -> dict[str, object]:
    promotion = overlay.promotion
    return {
        "id": overlay.id,
        "kind": overlay.kind.value,
        "image_id": overlay.image_id,
        "number": overlay.number,
        "device_id": overlay.device_id,
        "server_id": overlay.server_id,
        "base": overlay.base.hex,
        "size_bytes": overlay.size_bytes,
        "limit_bytes": overlay.limit_bytes,
        "created_at": overlay.created_at,
        "created_by": overlay.created_by,
        "phase": overlay.phase.value,
        "opened_at": overlay.opened_at,
        "promoted_by": None if promotion is None else promotion.by,
        "promoted_to": None if promotion is None else promotion.access.value,
        "release_at": None if promotion is None else promotion.release_at,
        "description": None if promotion is None else promotion.description,
        "revision": overlay.revision,
    }


def _from(row: Row[Any]) -> Overlay:
    return Overlay(
        id=OverlayId(row.id),
        kind=OverlayKind(row.kind),
        image_id=ImageId(row.image_id),
        number=VersionNumber(row.number),
        device_id=DeviceId(row.device_id),
        server_id=ServerId(row.server_id),
        base=RootHash(row.base),
        size_bytes=row.size_bytes,
        limit_bytes=row.limit_bytes,
        created_at=row.created_at,
        created_by=row.created_by,
        phase=OverlayPhase(row.phase),
        opened_at=row.opened_at,
        promotion=(
            None
            if row.promoted_to is None
            else Promotion(
                by=row.promoted_by,
                access=Access(row.promoted_to),
                release_at=row.release_at,
                description=row.description,
            )
        ),
        seen=None if row.seen_at is None else _seen(row),
        revision=row.revision,
    )


def _seen(row: Row[Any]) -> SeenOverlay:
    return SeenOverlay(
        at=row.seen_at,
        condition=OverlayCondition(row.seen_condition),
        written_bytes=row.seen_written_bytes,
        allocated_bytes=row.seen_allocated_bytes,
        clients=row.seen_clients,
        problem=row.seen_problem,
        sealed_root=None if row.sealed_root is None else RootHash(row.sealed_root),
        sealed_bytes=row.sealed_bytes,
        sealing_done_bytes=row.sealing_done_bytes,
        sealing_total_bytes=row.sealing_total_bytes,
    )
