"""What somebody wants changed of a thing: some of its fields, as long as it is as they saw it."""

from __future__ import annotations

from enum import Enum
from typing import Final, Literal, TypeAlias, TypeVar

T = TypeVar("T")


class Keep(Enum):
    """The type of ``KEEP``."""

    KEEP = "keep"


KEEP: Final = Keep.KEEP
"""Leave a field as it is; ``None`` would mean to clear it."""

Edit: TypeAlias = T | Literal[Keep.KEEP]


def edited(wanted: Edit[T], now: T) -> T:
    """Give the field as it should be."""
    return now if wanted is Keep.KEEP else wanted
