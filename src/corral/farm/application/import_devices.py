"""Register the devices of a table or a series, all of them or none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from corral.farm.application.change_image import refuse_second_device
from corral.farm.application.device_table import BadRow, DeviceRow, read_devices
from corral.farm.application.register_device import FIRST_PLACE, NewPlace, RegisteredDevice
from corral.farm.domain.delivery.device import Assignment, Device, DeviceId
from corral.farm.domain.delivery.errors import DeviceNameTakenError, MacTakenError
from corral.farm.domain.errors import DomainError
from corral.farm.domain.estate.collection import FIRST_COLLECTION
from corral.farm.domain.image.write_cache import ImageCustomError, ImageMode

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from corral.farm.application.ports.records import Records, Transactions
    from corral.farm.application.ports.secret_files import SecretFiles
    from corral.farm.application.ports.sources import Clock, IdSource, TokenSource
    from corral.farm.domain.access.token import TokenDigest
    from corral.farm.domain.delivery.device import DeviceName, MacAddress
    from corral.farm.domain.delivery.device_series import DeviceSeries
    from corral.farm.domain.estate.collection import Collection, CollectionName
    from corral.farm.domain.image.image import Image, ImageId, ImageName


@dataclass(frozen=True)
class DeviceImport:
    """What became of a table."""

    rows: tuple[DeviceRow | BadRow, ...]
    """Each line, with what is wrong with it if anything is."""
    registered: tuple[RegisteredDevice, ...]
    """All devices of the table; none if it was only tried, or if any line is bad."""

    @property
    def bad(self) -> tuple[BadRow, ...]:
        """The lines that have to be corrected first."""
        return tuple(row for row in self.rows if isinstance(row, BadRow))


class ImportDevices:
    """Checks every line before the first device is registered, and tells all that is wrong."""

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

    def __call__(self, table: str, *, is_trial: bool = False) -> DeviceImport:
        """Give what became of it; raises ``DeviceTableInvalidError`` if it is no table."""
        return self._of(read_devices(table), is_trial=is_trial)

    def series(  # noqa: PLR0913 - what one device of it would be given
        self,
        series: DeviceSeries,
        first_mac: MacAddress,
        image: ImageName | None = None,
        place: NewPlace = FIRST_PLACE,
        *,
        key_folder: Path | None = None,
        is_trial: bool = False,
    ) -> DeviceImport:
        """Register a series of devices, whose cards count from the first; lines are places in it.

        Raises ``NameInvalidError``, ``DeviceSeriesInvalidError``.
        """
        rows = tuple(
            DeviceRow(line, name, mac, image, place)
            for line, (name, mac) in enumerate(
                zip(series.names(), series.cards(first_mac), strict=True), 1
            )
        )
        return self._of(rows, key_folder, is_trial=is_trial)

    def _of(
        self,
        rows: tuple[DeviceRow | BadRow, ...],
        key_folder: Path | None = None,
        *,
        is_trial: bool,
    ) -> DeviceImport:
        if is_trial:
            with self._transactions.reading() as records:
                return DeviceImport(_Check(records).all(rows), ())
        with self._transactions.writing() as records:
            check = _Check(records)
            checked = check.all(rows)
            good = [row for row in checked if isinstance(row, DeviceRow)]
            if len(good) < len(checked):
                return DeviceImport(checked, ())
            now = self._clock.now()
            registered = tuple(self._register(records, check, row, now, key_folder) for row in good)
        return DeviceImport(checked, registered)

    def _register(
        self,
        records: Records,
        check: _Check,
        row: DeviceRow,
        now: datetime,
        key_folder: Path | None,
    ) -> RegisteredDevice:
        key = self._tokens.new()
        device = check.device(row, DeviceId(self._ids.new()), key.digest(), now)
        records.devices.add(device)
        path = None if key_folder is None else key_folder / f"{row.name}.key"
        return RegisteredDevice(device, self._secret_files.for_device(row.name, key, path), key)


class _Check:
    """Compares lines with the farm and with each other, looking each thing up once."""

    def __init__(self, records: Records) -> None:
        self._records = records
        devices = records.devices.all()
        self._names = {device.name for device in devices}
        self._macs = {device.mac: device.name for device in devices}
        self._images: dict[ImageName, Image] = {}
        self._custom: dict[ImageId, DeviceName] = {}
        self._collections: dict[CollectionName, Collection] = {}

    def all(self, rows: tuple[DeviceRow | BadRow, ...]) -> tuple[DeviceRow | BadRow, ...]:
        return tuple(row if isinstance(row, BadRow) else self._checked(row) for row in rows)

    def device(self, row: DeviceRow, device: DeviceId, key: TokenDigest, now: datetime) -> Device:
        """Make the device of a line that was found good."""
        place = row.place
        return Device(
            id=device,
            name=row.name,
            mac=row.mac,
            key_digest=key,
            registered_at=now,
            assignment=None if row.image is None else Assignment(self._image(row.image).id, now),
            collection_id=(
                FIRST_COLLECTION.id
                if place.collection is None
                else self._collection(place.collection).id
            ),
            type=place.type,
            disabled=place.disabled,
            description=place.description,
        )

    def _checked(self, row: DeviceRow) -> DeviceRow | BadRow:
        try:
            if row.name in self._names:
                raise DeviceNameTakenError(row.name)
            if (owner := self._macs.get(row.mac)) is not None:
                raise MacTakenError(row.mac, owner)
            if row.image is not None:
                self._refuse_second(self._image(row.image), row)
            if row.place.collection is not None:
                self._collection(row.place.collection)
        except DomainError as error:
            return BadRow(row.line, row.name, error)
        self._names.add(row.name)
        self._macs[row.mac] = row.name
        return row

    def _refuse_second(self, image: Image, row: DeviceRow) -> None:
        """Look at the farm's devices, and at the lines before this one."""
        refuse_second_device(self._records, image, row.name)
        first = self._custom.setdefault(image.id, row.name)
        if image.mode is ImageMode.CUSTOM and first != row.name:
            raise ImageCustomError(image.name, [first, row.name])

    def _image(self, name: ImageName) -> Image:
        if name not in self._images:
            self._images[name] = self._records.images.get(name)
        return self._images[name]

    def _collection(self, name: CollectionName) -> Collection:
        if name not in self._collections:
            self._collections[name] = self._records.collections.get(name)
        return self._collections[name]
