"""The rules of lists that can be broken: what they filter and sort by, and where they go on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from corral.farm.domain.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Iterable

PAGE_AT_MOST: Final = 10_000
"""Things of one page."""


class FilterInvalidError(InvalidInputError):
    """A list is filtered by one of its own keys, written KEY=VALUE."""

    code = "filter-invalid"

    def __init__(self, text: str, keys: Iterable[str]) -> None:
        super().__init__(
            f"{text!r} filters nothing: write KEY=VALUE, where * in VALUE stands for anything,"
            f" with one of the keys {', '.join(keys)}"
        )


class SortInvalidError(InvalidInputError):
    """A list is sorted by one of its own keys, downwards with a minus before it."""

    code = "sort-invalid"

    def __init__(self, text: str, keys: Iterable[str]) -> None:
        super().__init__(
            f"{text!r} is nothing to sort by: write one of {', '.join(keys)}, or - and one of them"
        )


class CursorInvalidError(InvalidInputError):
    """A list goes on after the cursor that its last page gave, in the same order."""

    code = "cursor-invalid"

    def __init__(self) -> None:
        super().__init__(
            "this is not where a page of this list ended, in this order: give the 'next' of the"
            " page before, and sort as it did; or begin again without it"
        )


class PageLimitInvalidError(InvalidInputError):
    """A page has at least one thing, and not more than a process should hold at once."""

    code = "page-limit-invalid"

    def __init__(self, limit: int) -> None:
        super().__init__(f"{limit} is no length of a page: write a number from 1 to {PAGE_AT_MOST}")
