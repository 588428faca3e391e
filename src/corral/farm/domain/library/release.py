"""A release of the software: numbers with dots."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from corral.farm.domain.library.errors import ReleaseInvalidError

_RELEASE: Final = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9}){0,5}", re.ASCII)


class Component(StrEnum):
    """What has releases of its own (S2: each is versioned by itself)."""

    FARM = "farm"
    """The software of servers and relays."""
    ENGINE = "engine"
    """The software of computers."""


@dataclass(frozen=True, order=True)
class Release:
    """A release such as ``1.4.0``, compared number by number; ``1.4`` is the same release."""

    numbers: tuple[int, ...]
    text: str = field(compare=False)

    @classmethod
    def parse(cls, text: str) -> Release:
        """Read ``1.4.0``."""
        if _RELEASE.fullmatch(text) is None:
            raise ReleaseInvalidError(text)
        numbers = [int(number) for number in text.split(".")]
        while len(numbers) > 1 and numbers[-1] == 0:
            del numbers[-1]
        return cls(tuple(numbers), text)

    def __str__(self) -> str:
        return self.text
