"""Releases of software: numbers with dots, compared number by number."""

from __future__ import annotations

import re
from typing import Final

from corral.engine.domain.errors import InvalidInputError

_RELEASE: Final = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9}){0,5}")


class ReleaseInvalidError(InvalidInputError):
    """A release is numbers with dots between them."""

    code = "release-invalid"

    def __init__(self, text: str) -> None:
        super().__init__(f"{text!r} is not a release: write numbers with dots, such as 1.4.0")


def numbers_of(release: str) -> tuple[int, ...]:
    """Give the numbers of a release without the zeros at its end, which say nothing."""
    if _RELEASE.fullmatch(release) is None:
        raise ReleaseInvalidError(release)
    numbers = [int(number) for number in release.split(".")]
    while len(numbers) > 1 and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)


def is_older(one: str | None, other: str | None) -> bool:
    """Whether ``one`` is known to be older; what cannot be read is not known to be anything."""
    if one is None or other is None:
        return False
    try:
        return numbers_of(one) < numbers_of(other)
    except ReleaseInvalidError:
        return False


def is_same(one: str, other: str) -> bool:
    """Whether both say the same release: ``1.4`` is ``1.4.0``."""
    try:
        return one == other or numbers_of(one) == numbers_of(other)
    except ReleaseInvalidError:
        return False
