"""A device: a machine whose disk is streamed."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NewType
from uuid import UUID

from corral.farm.domain.errors import InvalidInputError
from corral.farm.domain.estate.collection import FIRST_COLLECTION, CollectionId
from corral.farm.domain.image.write_cache import WriteCache
from corral.farm.domain.naming import checked_name

if TYPE_CHECKING:
    from datetime import datetime

    from corral.farm.domain.access.token import TokenDigest
    from corral.farm.domain.estate.server import ServerId
    from corral.farm.domain.image.image import ImageId

DeviceId = NewType("DeviceId", UUID)
DeviceName = NewType("DeviceName", str)

_MAC: Final = re.compile(r"[0-9a-f]{2}([:-])[0-9a-f]{2}(?:\1[0-9a-f]{2}){4}")
_GROUP_BIT: Final = 1


def device_name(text: str) -> DeviceName:
    """Check a name for a device."""
    return DeviceName(checked_name("device", text))


class MacInvalidError(InvalidInputError):
    """A MAC address is six bytes in hexadecimal and belongs to one network card."""

    code = "mac-invalid"

    def __init__(self, text: str) -> None:
        super().__init__(
            f"{text!r} is not the MAC address of a network card: write six hexadecimal bytes,"
            " such as 52:54:00:12:34:56"
        )


@dataclass(frozen=True, order=True)
class MacAddress:
    """The hardware address of a device's network card, in lower case with colons."""

    text: str

    @classmethod
    def parse(cls, text: str) -> MacAddress:
        """Read ``52:54:00:12:34:56`` or ``52-54-00-12-34-56`` in either case."""
        lower = text.lower()
        if _MAC.fullmatch(lower) is None:
            raise MacInvalidError(text)
        octets = re.split("[:-]", lower)
        # Neither a group address nor all zeros can be a card's own.
        if int(octets[0], 16) & _GROUP_BIT or set(octets) == {"00"}:
            raise MacInvalidError(text)
        return cls(":".join(octets))

    def __str__(self) -> str:
        return self.text


class DeviceType(StrEnum):
    """Which versions a device may start from."""

    PRODUCTION = "production"
    TEST = "test"
    """Those for testing, too."""
    MAINTENANCE = "maintenance"
    """The one that is being changed, too."""


class DeviceTypeInvalidError(InvalidInputError):
    """A device is for production, for tests or for maintenance."""

    code = "device-type-invalid"

    def __init__(self, text: str) -> None:
        super().__init__(f"{text!r} is no type of device: write {', '.join(DeviceType)}")


def device_type(text: str) -> DeviceType:
    """Read a type, in either case."""
    try:
        return DeviceType(text.lower())
    except ValueError:
        raise DeviceTypeInvalidError(text) from None


@dataclass(frozen=True)
class Assignment:
    """That a device starts from the newest published version of an image."""

    image_id: ImageId
    assigned_at: datetime


@dataclass(frozen=True)
class Login:
    """The server that a device was last sent to first, when, and for which image."""

    server_id: ServerId | None
    """None once the server is removed."""
    at: datetime
    image_id: ImageId | None
    """Unknown of a login before 0002 of the database."""
    address: str | None = None
    """The IP address that it came from; unknown before 0023 of the database, and of a login that
    somebody at the farm asked for."""


@dataclass(frozen=True)
class Device:
    """A machine whose disk is streamed."""

    id: DeviceId
    name: DeviceName
    mac: MacAddress
    key_digest: TokenDigest
    registered_at: datetime
    assignment: Assignment | None = None
    last_login: Login | None = None
    write_cache: WriteCache = WriteCache.DEVICE_RAM
    collection_id: CollectionId = FIRST_COLLECTION.id
    type: DeviceType = DeviceType.PRODUCTION
    disabled: bool = False
    """Set by a person: it may not log in. What it streams already goes on until its ticket ends."""
    description: str = ""
    revision: int = 1

    def assigned(self, image_id: ImageId, now: datetime) -> Device:
        """Give the device as it is after an image was assigned to it."""
        return replace(self, assignment=Assignment(image_id, now), revision=self.revision + 1)

    def logged_in(self, login: Login) -> Device:
        """Give the device as it is after it was sent to a server."""
        return replace(self, last_login=login)

    def may_run(self, image_id: ImageId) -> bool:
        """Say whether the device was given the image: by its assignment, or by its last login.

        An assignment takes effect at the next start, so that until then the image of the last login
        is the one that runs.
        """
        given = (self.assignment, self.last_login)
        return any(one is not None and one.image_id == image_id for one in given)
