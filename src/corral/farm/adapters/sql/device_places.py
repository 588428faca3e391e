"""Places in SQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, Column, Integer, String, Table, Uuid, case, func, select
from sqlalchemy import delete as delete_from
from sqlalchemy import insert as insert_into

from corral.farm.adapters.sql.tables import Instant, metadata
from corral.farm.domain.delivery.device import DeviceId
from corral.farm.domain.delivery.place import BOOT_BYTES, BOOTS_FOR, Place
from corral.farm.domain.delivery.ranking import Load
from corral.farm.domain.estate.server import ServerId
from corral.farm.domain.image.root import RootHash

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection

    from corral.farm.adapters.sql.rows import AnyRow

# No foreign keys: a place is an observation, and may outlive what it is about by a report.
place = Table(
    "place",
    metadata,
    Column("device_id", Uuid, primary_key=True),
    Column("server_id", Uuid, nullable=False, index=True),
    Column("since", Instant, nullable=False),
    Column("root", String(64), nullable=False),
    Column("started_at", Instant),
    Column("read_bytes", BigInteger, nullable=False),
    Column("address", String(64)),
)

_PLACES = select(place).order_by(place.c.device_id)


class SqlPlaces:
    """A row for each device that streams."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def find(self, device_id: DeviceId) -> Place | None:
        """Give the one of that device, if it has one."""
        found = self._select(place.c.device_id == device_id)
        return found[0] if found else None

    def of_server(self, server_id: ServerId) -> Sequence[Place]:
        """Give all on that server."""
        return self._select(place.c.server_id == server_id)

    def of_devices(self, device_ids: Collection[DeviceId]) -> Sequence[Place]:
        """Give those of these devices."""
        return self._select(place.c.device_id.in_(device_ids)) if device_ids else []

    def all(self) -> Sequence[Place]:
        """Give all of them."""
        return self._select()

    def loads(self, now: datetime) -> Mapping[ServerId, Load]:
        """Count them by server."""
        is_booting = (place.c.started_at > now - BOOTS_FOR) & (place.c.read_bytes < BOOT_BYTES)
        counted = self._connection.execute(
            select(
                place.c.server_id,
                func.count().label("devices"),
                func.sum(case((is_booting, 1), else_=0), type_=Integer).label("booting"),
            ).group_by(place.c.server_id)
        )
        return {ServerId(row.server_id): Load(row.devices, int(row.booting)) for row in counted}

    def put(self, of: Place) -> None:
        """Add it, or replace the one of the same device."""
        self.remove(of.device_id)
        self._connection.execute(insert_into(place).values(_values(of)))

    def remove(self, device_id: DeviceId) -> None:
        """Forget it."""
        self._connection.execute(delete_from(place).where(place.c.device_id == device_id))

    def _select(self, *conditions: ColumnElement[bool]) -> list[Place]:
        return [_from(row) for row in self._connection.execute(_PLACES.where(*conditions))]


def _from(row: AnyRow) -> Place:
    return Place(
        device_id=DeviceId(row.device_id),
        server_id=ServerId(row.server_id),
        since=row.since,
        root=RootHash(row.root),
        started_at=row.started_at,
        read_bytes=row.read_bytes,
        address=row.address,
    )


def _values(of: Place) -> dict[str, Any]:
    return {
        "device_id": of.device_id,
        "server_id": of.server_id,
        "since": of.since,
        "root": of.root.hex,
        "started_at": of.started_at,
        "read_bytes": of.read_bytes,
        "address": of.address,
    }
