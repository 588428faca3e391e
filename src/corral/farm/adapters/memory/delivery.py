"""Devices and sessions in memory."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from corral.farm.domain.delivery.errors import (
    DeviceChangedError,
    DeviceNameTakenError,
    DeviceUnknownError,
    MacTakenError,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from corral.farm.adapters.memory.state import State
    from corral.farm.domain.access.token import TokenDigest
    from corral.farm.domain.delivery.device import Device, DeviceId, DeviceName, Login
    from corral.farm.domain.delivery.session import Session
    from corral.farm.domain.estate.collection import CollectionId
    from corral.farm.domain.estate.server import ServerId
    from corral.farm.domain.image.image import ImageId


class MemoryDevices:
    """Devices by id."""

    def __init__(self, state: State) -> None:
        self._state = state

    def add(self, device: Device) -> None:
        """Add one."""
        self._refuse_taken(device)
        self._state.devices[device.id] = device

    def change(self, seen: Device, after: Device) -> Device:
        """Put ``after`` in the place of ``seen`` if that is still what is there."""
        known = self._state.devices.get(seen.id)
        if known is None:
            raise DeviceUnknownError(seen.name)
        if known.revision != seen.revision:
            raise DeviceChangedError(seen.name)
        self._refuse_taken(after)
        changed = replace(
            after, id=seen.id, last_login=known.last_login, revision=seen.revision + 1
        )
        self._state.devices[seen.id] = changed
        return changed

    def remove(self, device_id: DeviceId) -> None:
        """Forget it."""
        self._state.devices.pop(device_id, None)

    def get(self, name: DeviceName) -> Device:
        """Give the one of that name."""
        device = self.find(name)
        if device is None:
            raise DeviceUnknownError(name)
        return device

    def find(self, name: DeviceName) -> Device | None:
        """Give the one of that name, if there is one."""
        return next((d for d in self._state.devices.values() if d.name == name), None)

    def with_id(self, device_id: DeviceId) -> Device:
        """Give the one with that id."""
        try:
            return self._state.devices[device_id]
        except KeyError:
            raise DeviceUnknownError(str(device_id)) from None

    def with_image(self, image_id: ImageId) -> Sequence[Device]:
        """Give those that an image is assigned to."""
        return [
            device
            for device in self.all()
            if device.assignment is not None and device.assignment.image_id == image_id
        ]

    def with_key(self, digest: TokenDigest) -> Device | None:
        """Give the one whose key has that digest."""
        return next((one for one in self.all() if one.key_digest == digest), None)

    def in_collection(self, collection_id: CollectionId) -> Sequence[Device]:
        """Give those of a collection."""
        return [device for device in self.all() if device.collection_id == collection_id]

    def all(self) -> Sequence[Device]:
        """Give all of them."""
        return sorted(self._state.devices.values(), key=lambda device: device.name)

    def assign(self, device_id: DeviceId, image_id: ImageId, now: datetime) -> None:
        """Assign an image, in place of the one before."""
        self._state.devices[device_id] = self.with_id(device_id).assigned(image_id, now)

    def set_login(self, device_id: DeviceId, login: Login) -> None:
        """Remember where the device was sent."""
        self._state.devices[device_id] = replace(self.with_id(device_id), last_login=login)

    def _refuse_taken(self, device: Device) -> None:
        others = [one for one in self._state.devices.values() if one.id != device.id]
        if any(one.name == device.name for one in others):
            raise DeviceNameTakenError(device.name)
        for one in others:
            if one.mac == device.mac:
                raise MacTakenError(device.mac, one.name)


class MemorySessions:
    """Sessions by server."""

    def __init__(self, state: State) -> None:
        self._state = state

    def replace(self, server_id: ServerId, sessions: Sequence[Session]) -> None:
        """Put these in the place of everything that the server said before."""
        self._state.sessions[server_id] = tuple(sessions)

    def of_server(self, server_id: ServerId) -> Sequence[Session]:
        """Give those of one server."""
        return [session for session in self.all() if session.server_id == server_id]

    def of_devices(self, device_ids: Collection[DeviceId]) -> Sequence[Session]:
        """Give those of these devices."""
        wanted = frozenset(device_ids)
        return [session for session in self.all() if session.device_id in wanted]

    def all(self) -> Sequence[Session]:
        """Give all of them."""
        servers = self._state.servers
        return sorted(
            (session for sessions in self._state.sessions.values() for session in sessions),
            key=lambda session: (servers[session.server_id].name, session.connected_at),
        )
