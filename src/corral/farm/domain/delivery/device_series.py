"""A series of devices: names that count, and network cards that do."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from corral.farm.domain.delivery.device import DeviceName, MacAddress, device_name
from corral.farm.domain.errors import InvalidInputError

_SERIES: Final = re.compile(r"([^\[\]]*)\[([0-9]{1,9})-([0-9]{1,9})\]([^\[\]]*)", re.ASCII)
_CARD: Final = 1 << 24
"""What a maker counts: the last three bytes of an address."""
MOST: Final = 4096


class DeviceSeriesInvalidError(InvalidInputError):
    """A series of names is written as ``PREFIX[FIRST-LAST]SUFFIX``."""

    code = "device-series-invalid"

    def __init__(self, text: str, reason: str) -> None:
        super().__init__(
            f"{text!r} names no series of devices ({reason}): write PREFIX[FIRST-LAST], such as"
            f" lab-[001-040], with at most {MOST} devices; zeros before FIRST are kept"
        )


def is_series(text: str) -> bool:
    """Whether somebody means a series; no single name has a bracket."""
    return "[" in text or "]" in text


@dataclass(frozen=True)
class DeviceSeries:
    """Names with one number in them, from the first to the last."""

    prefix: str
    first: int
    last: int
    digits: int
    """The least number of digits; smaller numbers have zeros before them."""
    suffix: str = ""

    @classmethod
    def parse(cls, text: str) -> DeviceSeries:
        """Read ``lab-[001-040]``; raises ``DeviceSeriesInvalidError``."""
        read = _SERIES.fullmatch(text)
        if read is None:
            reason = "it is not of that form"
            raise DeviceSeriesInvalidError(text, reason)
        prefix, begins, ends, suffix = read.groups()
        first, last = int(begins), int(ends)
        if last < first:
            reason = "it ends before it begins"
            raise DeviceSeriesInvalidError(text, reason)
        if last - first >= MOST:
            reason = f"it has {last - first + 1} devices"
            raise DeviceSeriesInvalidError(text, reason)
        if begins.startswith("0") and len(begins) != len(ends) and last > 0:
            reason = "its first number has zeros before it, and its last has not as many digits"
            raise DeviceSeriesInvalidError(text, reason)
        return cls(prefix, first, last, len(begins), suffix)

    def __len__(self) -> int:
        return self.last - self.first + 1

    def names(self) -> tuple[DeviceName, ...]:
        """Give the names in their order; raises ``NameInvalidError``."""
        return tuple(
            device_name(f"{self.prefix}{number:0{self.digits}d}{self.suffix}")
            for number in range(self.first, self.last + 1)
        )

    def cards(self, first: MacAddress) -> tuple[MacAddress, ...]:
        """Give an address for each, counting from ``first``.

        Raises ``DeviceSeriesInvalidError`` if the last three bytes do not suffice for that.
        """
        whole = int(first.text.replace(":", ""), 16)
        maker, begins = divmod(whole, _CARD)
        if begins + len(self) > _CARD:
            text = f"{self.prefix}[{self.first}-{self.last}]{self.suffix}"
            reason = f"there are not so many addresses after {first} with the same first half"
            raise DeviceSeriesInvalidError(text, reason)
        return tuple(_card(maker * _CARD + begins + place) for place in range(len(self)))


def _card(number: int) -> MacAddress:
    digits = f"{number:012x}"
    return MacAddress.parse(":".join(digits[at : at + 2] for at in range(0, 12, 2)))
