"""Register a device."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from corral.farm.application.change_image import refuse_second_device
from corral.farm.domain.delivery.device import (
    Assignment,
    Device,
    DeviceId,
    DeviceName,
    DeviceType,
    MacAddress,
)
from corral.farm.domain.estate.collection import FIRST_COLLECTION

if TYPE_CHECKING:
    from pathlib import Path

    from corral.farm.application.ports.records import Transactions
    from corral.farm.application.ports.secret_files import SecretFiles
    from corral.farm.application.ports.sources import Clock, IdSource, TokenSource
    from corral.farm.domain.access.token import Token
    from corral.farm.domain.estate.collection import CollectionName
    from corral.farm.domain.image.image import ImageName


@dataclass(frozen=True)
class NewPlace:
    """What the device is for; in no collection means in the one that the farm began with."""

    collection: CollectionName | None = None
    type: DeviceType = DeviceType.PRODUCTION
    disabled: bool = False
    description: str = ""


FIRST_PLACE: Final = NewPlace()


@dataclass(frozen=True)
class RegisteredDevice:
    """The device, and the file with its key."""

    device: Device
    key_file: Path
    key: Token
    """For whoever asked over the network: the file stays with the farm."""


class RegisterDevice:
    """Adds a device and hands its key over in a file."""

    def __init__(
        self,
        transactions: Transactions,
        secret_files: SecretFiles,
        ids: IdSource,
        tokens: TokenSource,
        clock: Clock,
    ) -> None:
        self._transactions = transactions
        self._secret_files = secret_files
        self._ids = ids
        self._tokens = tokens
        self._clock = clock

    def __call__(
        self,
        name: DeviceName,
        mac: MacAddress,
        image: ImageName | None = None,
        key_file: Path | None = None,
        place: NewPlace = FIRST_PLACE,
    ) -> RegisteredDevice:
        """Give the new device.

        Raises ``DeviceNameTakenError``, ``MacTakenError``, ``ImageUnknownError``,
        ``CollectionUnknownError``.
        """
        now = self._clock.now()
        key = self._tokens.new()
        with self._transactions.writing() as records:
            assignment = None
            if image is not None:
                found = records.images.get(image)
                refuse_second_device(records, found, name)
                assignment = Assignment(found.id, now)
            collection_id = FIRST_COLLECTION.id
            if place.collection is not None:
                collection_id = records.collections.get(place.collection).id
            device = Device(
                id=DeviceId(self._ids.new()),
                name=name,
                mac=mac,
                key_digest=key.digest(),
                registered_at=now,
                assignment=assignment,
                collection_id=collection_id,
                type=place.type,
                disabled=place.disabled,
                description=place.description,
            )
            records.devices.add(device)
            # Inside the transaction: a device whose key nobody has could never log in.
            written = self._secret_files.for_device(name, key, key_file)
        return RegisteredDevice(device, written, key)
