"""The history of versions in SQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func, insert, select

from corral.farm.adapters.sql.tables import version_change
from corral.farm.domain.image.change import VersionChange
from corral.farm.domain.image.image import ImageId
from corral.farm.domain.image.version import VersionNumber

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection


class SqlVersionChanges:
    """A row for each line, numbered within its version; writers come one after the other."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def note(self, change: VersionChange) -> None:
        """Add a row behind the last."""
        last = self._connection.execute(
            select(func.max(version_change.c.place)).where(
                version_change.c.image_id == change.image_id,
                version_change.c.number == change.number,
            )
        ).scalar_one()
        self._connection.execute(
            insert(version_change).values(
                image_id=change.image_id,
                number=change.number,
                place=1 if last is None else last + 1,
                at=change.at,
                by=change.by,
                what=change.what,
                note=change.note,
            )
        )

    def of_version(self, image_id: ImageId, number: VersionNumber) -> Sequence[VersionChange]:
        """Give a version's lines."""
        found = self._connection.execute(
            select(version_change)
            .where(version_change.c.image_id == image_id, version_change.c.number == number)
            .order_by(version_change.c.place)
        )
        return [
            VersionChange(
                image_id=ImageId(row.image_id),
                number=VersionNumber(row.number),
                at=row.at,
                by=row.by,
                what=row.what,
                note=row.note,
            )
            for row in found
        ]
