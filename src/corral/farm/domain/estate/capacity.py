"""How many devices a server can bear, and how it compares with others."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Final, NewType

from corral.farm.domain.errors import InvalidInputError

PowerRating = NewType("PowerRating", Decimal)
DeviceLimit = NewType("DeviceLimit", int)

_LOWEST: Final = Decimal("0.1")
_HIGHEST: Final = Decimal(1000)
_STEP: Final = Decimal("0.1")
NORMAL_POWER: Final = PowerRating(Decimal(1))
_HIGHEST_LIMIT: Final = 1_000_000


class RatingOutOfRangeError(InvalidInputError):
    """A power rating is a number from 0.1 to 1000 with at most one decimal."""

    code = "rating-out-of-range"

    def __init__(self, text: str) -> None:
        super().__init__(
            f"{text} is no power rating: write a number from {_LOWEST} to {_HIGHEST} with at most"
            " one decimal; a server of rating 2 gets twice the devices of one of rating 1"
        )


class LimitOutOfRangeError(InvalidInputError):
    """A limit of devices is a whole number from 1; no limit is said by giving none."""

    code = "limit-out-of-range"

    def __init__(self, number: int | str) -> None:
        super().__init__(
            f"{number} is no limit of devices: write a whole number from 1 to {_HIGHEST_LIMIT:,},"
            " or 'none' for no limit; 'corral server maintenance' keeps devices away altogether"
        )


def power_rating(text: str) -> PowerRating:
    """Read a power rating."""
    try:
        rating = Decimal(text)
    except InvalidOperation:
        raise RatingOutOfRangeError(text) from None
    if not rating.is_finite() or not _LOWEST <= rating <= _HIGHEST or rating % _STEP:
        raise RatingOutOfRangeError(text)
    return PowerRating(rating.quantize(_STEP).normalize() + 0)


def device_limit(number: int) -> DeviceLimit:
    """Check a limit of devices."""
    if not 1 <= number <= _HIGHEST_LIMIT:
        raise LimitOutOfRangeError(number)
    return DeviceLimit(number)


def parse_limit(text: str) -> DeviceLimit:
    """Read a limit of devices."""
    if not (text.isascii() and text.isdecimal()):
        raise LimitOutOfRangeError(text)
    return device_limit(int(text))
