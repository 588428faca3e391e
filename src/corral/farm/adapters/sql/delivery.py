"""Devices and sessions in SQL."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from corral.farm.adapters.sql import rows, tables
from corral.farm.adapters.sql.edits import replaced
from corral.farm.domain.delivery.errors import (
    DeviceChangedError,
    DeviceNameTakenError,
    DeviceUnknownError,
    MacTakenError,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection

    from corral.farm.domain.access.token import TokenDigest
    from corral.farm.domain.delivery.device import Device, DeviceId, DeviceName, Login
    from corral.farm.domain.delivery.session import Session
    from corral.farm.domain.estate.collection import CollectionId
    from corral.farm.domain.estate.server import ServerId
    from corral.farm.domain.image.image import ImageId

_DEVICES = select(tables.device).order_by(tables.device.c.name)
_SESSIONS = (
    select(tables.session)
    .join(tables.server, tables.server.c.id == tables.session.c.server_id)
    .order_by(tables.server.c.name, tables.session.c.connected_at, tables.session.c.place)
)


class SqlDevices:
    """A row each, with assignment and last login."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, device: Device) -> None:
        """Add one, or say what it clashes with."""
        with self._clashes_explained(device):
            self._connection.execute(insert(tables.device).values(rows.device_values(device)))

    def change(self, seen: Device, after: Device) -> Device:
        """Change the row if its revision is still the one that was seen."""
        values = rows.device_values(replace(after, id=seen.id, revision=seen.revision + 1))
        edited = {key: value for key, value in values.items() if not key.startswith("login_")}
        with self._clashes_explained(after):
            done = replaced(self._connection, tables.device, seen.id, seen.revision, edited)
        found = self.with_id(seen.id)
        if not done:
            raise DeviceChangedError(seen.name)
        return found

    def remove(self, device_id: DeviceId) -> None:
        """Delete the row."""
        self._connection.execute(delete(tables.device).where(tables.device.c.id == device_id))

    def get(self, name: DeviceName) -> Device:
        """Give the one of that name."""
        device = self.find(name)
        if device is None:
            raise DeviceUnknownError(name)
        return device

    def find(self, name: DeviceName) -> Device | None:
        """Give the one of that name, if there is one."""
        found = self._select(tables.device.c.name == name)
        return found[0] if found else None

    def with_id(self, device_id: DeviceId) -> Device:
        """Give the one with that id."""
        found = self._select(tables.device.c.id == device_id)
        if not found:
            raise DeviceUnknownError(str(device_id))
        return found[0]

    def with_image(self, image_id: ImageId) -> Sequence[Device]:
        """Give those that an image is assigned to."""
        return self._select(tables.device.c.image_id == image_id)

    def with_key(self, digest: TokenDigest) -> Device | None:
        """Give the one whose key has that digest."""
        found = self._select(tables.device.c.key_digest == digest.value)
        return found[0] if found else None

    def in_collection(self, collection_id: CollectionId) -> Sequence[Device]:
        """Give those of a collection."""
        return self._select(tables.device.c.collection_id == collection_id)

    def all(self) -> Sequence[Device]:
        """Give all of them."""
        return self._select()

    def assign(self, device_id: DeviceId, image_id: ImageId, now: datetime) -> None:
        """Assign an image, in place of the one before."""
        self._connection.execute(
            update(tables.device)
            .where(tables.device.c.id == device_id)
            .values(image_id=image_id, assigned_at=now, revision=tables.device.c.revision + 1)
        )

    def set_login(self, device_id: DeviceId, login: Login) -> None:
        """Remember where the device was sent."""
        self._connection.execute(
            update(tables.device)
            .where(tables.device.c.id == device_id)
            .values(
                login_server_id=login.server_id,
                login_at=login.at,
                login_image_id=login.image_id,
                login_address=login.address,
            )
        )

    @contextmanager
    def _clashes_explained(self, device: Device) -> Iterator[None]:
        try:
            with self._connection.begin_nested():
                yield
        except IntegrityError:
            others = tables.device.c.id != device.id
            if self._select(others, tables.device.c.name == device.name):
                raise DeviceNameTakenError(device.name) from None
            owners = self._select(others, tables.device.c.mac == device.mac.text)
            if owners:
                raise MacTakenError(device.mac, owners[0].name) from None
            raise

    def _select(self, *conditions: ColumnElement[bool]) -> list[Device]:
        return [
            rows.device_from(row) for row in self._connection.execute(_DEVICES.where(*conditions))
        ]


class SqlSessions:
    """The rows of a server's last report."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def replace(self, server_id: ServerId, sessions: Sequence[Session]) -> None:
        """Put these in the place of everything that the server said before."""
        self._connection.execute(
            delete(tables.session).where(tables.session.c.server_id == server_id)
        )
        if sessions:
            self._connection.execute(
                insert(tables.session),
                [rows.session_values(session, place) for place, session in enumerate(sessions)],
            )

    def all(self) -> Sequence[Session]:
        """Give all of them."""
        return self._select()

    def of_server(self, server_id: ServerId) -> Sequence[Session]:
        """Give those of one server."""
        return self._select(tables.session.c.server_id == server_id)

    def of_devices(self, device_ids: Collection[DeviceId]) -> Sequence[Session]:
        """Give those of these devices."""
        return self._select(tables.session.c.device_id.in_(device_ids)) if device_ids else []

    def _select(self, *conditions: ColumnElement[bool]) -> list[Session]:
        found = self._connection.execute(_SESSIONS.where(*conditions))
        return [rows.session_from(row) for row in found]
