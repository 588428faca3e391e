"""Affinities in SQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Column, String, Table, Uuid, delete, insert, select

from corral.farm.adapters.sql.tables import metadata
from corral.farm.domain.delivery.affinity import SubnetBinding
from corral.farm.domain.delivery.ranking import Affinity

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from sqlalchemy import Connection

# No foreign key: the thing is an image or a collection.
affinity = Table(
    "affinity",
    metadata,
    Column("thing_id", Uuid, primary_key=True),
    Column("value", String(16), nullable=False),
)


class SqlAffinities:
    """A row for each image or collection that says something."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def with_id(self, thing: UUID) -> SubnetBinding:
        """Give what the image or the collection with that id says."""
        found = self._connection.execute(
            select(affinity.c.value).where(affinity.c.thing_id == thing)
        ).scalar_one_or_none()
        return SubnetBinding(thing, None if found is None else Affinity(found))

    def all(self) -> Mapping[UUID, Affinity]:
        """Give all that say something."""
        found = self._connection.execute(select(affinity))
        return {row.thing_id: Affinity(row.value) for row in found}

    def set_affinity(self, thing: UUID, value: Affinity | None) -> None:
        """Have it say that, or nothing any more."""
        self._connection.execute(delete(affinity).where(affinity.c.thing_id == thing))
        if value is not None:
            self._connection.execute(insert(affinity).values(thing_id=thing, value=value.value))
