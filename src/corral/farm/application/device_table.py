"""Read a table of devices, as spreadsheets write it (CSV): pure, line by line.

The first line names the columns. ``name`` and ``mac`` must be there; an empty field is as none.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from io import StringIO
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from corral.farm.application.register_device import NewPlace
from corral.farm.domain.delivery.device import DeviceType, MacAddress, device_name, device_type
from corral.farm.domain.delivery.errors import (
    DeviceFieldInvalidError,
    DeviceTableInvalidError,
)
from corral.farm.domain.errors import DomainError
from corral.farm.domain.estate.collection import collection_name
from corral.farm.domain.image.image import image_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from corral.farm.domain.delivery.device import DeviceName
    from corral.farm.domain.image.image import ImageName

COLUMNS: Final = ("name", "mac", "collection", "image", "type", "disabled", "description")
_REQUIRED: Final = ("name", "mac")
_YES_OR_NO: Final = MappingProxyType({"": False, "no": False, "yes": True})


@dataclass(frozen=True)
class DeviceRow:
    """A line that says a device."""

    line: int
    """As an editor counts, so that the first device is usually on line 2."""
    name: DeviceName
    mac: MacAddress
    image: ImageName | None
    place: NewPlace


@dataclass(frozen=True)
class BadRow:
    """A line that says none, and what is wrong with it."""

    line: int
    name: str
    error: DomainError


def read_devices(text: str) -> tuple[DeviceRow | BadRow, ...]:
    """Give what each line says; raises ``DeviceTableInvalidError`` if it is no such table."""
    reader = csv.DictReader(StringIO(text.removeprefix("\ufeff"), newline=""), strict=True)
    try:
        columns = [column.strip().lower() for column in reader.fieldnames or ()]
        _check(columns)
        reader.fieldnames = columns
        return tuple(_row(reader.line_num, fields) for fields in reader)
    except csv.Error as error:
        raise DeviceTableInvalidError(reader.line_num, str(error)) from None


def _check(columns: list[str]) -> None:
    unknown = [column for column in columns if column not in COLUMNS]
    missing = [column for column in _REQUIRED if column not in columns]
    twice = [column for column in columns if columns.count(column) > 1]
    for what, found in (("no column", missing), ("unknown", unknown), ("named twice", twice)):
        if found:
            raise DeviceTableInvalidError(1, f"{what}: {', '.join(found)}", COLUMNS)


def _row(line: int, fields: Mapping[str | None, str | list[str] | None]) -> DeviceRow | BadRow:
    given = {key: value.strip() for key, value in fields.items() if isinstance(value, str) and key}
    try:
        if None in fields:
            surplus = str(fields[None])
            raise DeviceFieldInvalidError(surplus, "beyond the last column", "nothing there")
        return _device(line, given)
    except DomainError as error:
        return BadRow(line, given.get("name", ""), error)


def _device(line: int, given: Mapping[str, str]) -> DeviceRow:
    image, collection, kind = (given.get(key) for key in ("image", "collection", "type"))
    return DeviceRow(
        line=line,
        name=device_name(given.get("name", "")),
        mac=MacAddress.parse(given.get("mac", "")),
        image=image_name(image) if image else None,
        place=NewPlace(
            collection=collection_name(collection) if collection else None,
            type=device_type(kind) if kind else DeviceType.PRODUCTION,
            disabled=_flag(given.get("disabled", "")),
            description=given.get("description", ""),
        ),
    )


def _flag(text: str) -> bool:
    flag = _YES_OR_NO.get(text.lower())
    if flag is None:
        raise DeviceFieldInvalidError(text, "disabled", "yes or no")
    return flag
