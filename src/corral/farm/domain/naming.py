"""The one rule for names of servers, images, devices and everything else that has one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from corral.farm.domain.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Sequence

# A name is a file name, a part of an export name (`image/number`) and a word in
# messages. The strictest of these wins; 63 is the length of one DNS label.
_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,61}[a-z0-9])?")


class NameInvalidError(InvalidInputError):
    """A name is 1 to 63 of a-z, 0-9, dot and dash, with a letter or a digit at both ends."""

    code = "name-invalid"

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(
            f"{text!r} is no {kind} name: use 1 to 63 of a-z, 0-9, dot and dash,"
            " with a letter or a digit at both ends"
        )


def checked_name(kind: str, text: str) -> str:
    """``text`` if it may name a ``kind`` of thing; names are never corrected silently."""
    if _NAME.fullmatch(text) is None or ".." in text:
        raise NameInvalidError(kind, text)
    return text


_NAMED_AT_MOST: Final = 5


def some_of(names: Sequence[str]) -> str:
    """Name the first few, and count the others."""
    named = ", ".join(names[:_NAMED_AT_MOST])
    more = len(names) - _NAMED_AT_MOST
    return f"{named} and {more} more" if more > 0 else named
