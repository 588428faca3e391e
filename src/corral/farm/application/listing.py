"""Filter, sort and page any list: pure, and the same for the command line and the API.

A page ends with a cursor that says *after what* the next one begins, not how many to leave out:
what is added or removed in between neither repeats nor hides anything else.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Final, Generic, TypeAlias, TypeVar

from corral.farm.domain.listing import (
    PAGE_AT_MOST,
    CursorInvalidError,
    FilterInvalidError,
    PageLimitInvalidError,
    SortInvalidError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

T = TypeVar("T")
Value: TypeAlias = str | int | Decimal | datetime | tuple[str, ...] | None
"""What a thing has under a key; a tuple has several, each of which a filter may find."""
_Rank: TypeAlias = tuple[int, int | str]

_YES_AND_NO: Final = {True: ("yes", "true"), False: ("no", "false")}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_THOUSANDTHS: Final = 1000


@dataclass(frozen=True)
class Columns(Generic[T]):
    """What the things of one list are filtered and sorted by."""

    values: Mapping[str, Callable[[T], Value]]
    identity: Callable[[T], str]
    """What no two things have in common; orders those that a key makes equal."""
    first_sort: str | None = None
    """The order when none is asked for; else that of the identity."""


@dataclass(frozen=True)
class Wish:
    """What somebody wants to see of a list."""

    filters: tuple[str, ...] = ()
    """``KEY=VALUE`` each. Of the same key one must hold, of different keys all."""
    sort: str | None = None
    """``KEY``, or ``-KEY`` for downwards."""
    limit: int | None = None
    after: str | None = None


@dataclass(frozen=True)
class Page(Generic[T]):
    """A piece of a list."""

    items: tuple[T, ...]
    total: int
    """How many there are on all pages."""
    next: str | None
    """The cursor of the page after this one; none if this is the last."""


EVERYTHING: Final = Wish()


def page_of(things: Iterable[T], columns: Columns[T], wish: Wish) -> Page[T]:
    """Give the page that is wished for.

    Raises ``FilterInvalidError``, ``SortInvalidError``, ``CursorInvalidError``,
    ``PageLimitInvalidError``.
    """
    if wish.limit is not None and not 1 <= wish.limit <= PAGE_AT_MOST:
        raise PageLimitInvalidError(wish.limit)
    order = _Order.of(columns, wish.sort)
    holds = _condition(columns, wish.filters)
    found = sorted(filter(holds, things), key=order.place, reverse=order.is_downwards)
    rest = found if wish.after is None else order.beyond(found, wish.after)
    items = rest[: wish.limit]
    has_more = len(items) < len(rest)
    return Page(tuple(items), len(found), order.cursor(items[-1]) if has_more else None)


@dataclass(frozen=True)
class _Order(Generic[T]):
    key: str
    is_downwards: bool
    rank: Callable[[T], _Rank]
    identity: Callable[[T], str]

    @classmethod
    def of(cls, columns: Columns[T], sort: str | None) -> _Order[T]:
        text = sort or columns.first_sort or ""
        key = text.removeprefix("-")
        if not text:
            return cls("", is_downwards=False, rank=lambda _: (0, 0), identity=columns.identity)
        get = columns.values.get(key)
        if get is None:
            raise SortInvalidError(text, columns.values)
        return cls(
            key,
            is_downwards=text.startswith("-"),
            rank=lambda thing: _rank(get(thing)),
            identity=columns.identity,
        )

    def place(self, thing: T) -> tuple[_Rank, str]:
        return self.rank(thing), self.identity(thing)

    def cursor(self, thing: T) -> str:
        (kind, value), identity = self.place(thing)
        content = [self.key, self.is_downwards, kind, value, identity]
        return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")

    def beyond(self, found: Sequence[T], cursor: str) -> Sequence[T]:
        last = self._place_in(cursor)
        if self.is_downwards:
            return [thing for thing in found if self.place(thing) < last]
        return [thing for thing in found if self.place(thing) > last]

    def _place_in(self, cursor: str) -> tuple[_Rank, str]:
        try:
            padded = cursor + "=" * (-len(cursor) % 4)
            content = json.loads(base64.b64decode(padded, b"-_", validate=True))
        except (binascii.Error, ValueError):
            raise CursorInvalidError from None
        match content:
            case [self.key, self.is_downwards, 0 | 1 as kind, int(value), str(identity)]:
                return (kind, value), identity
            case [self.key, self.is_downwards, 2, str(value), str(identity)]:
                return (2, value), identity
            case _:
                raise CursorInvalidError


def _rank(value: Value) -> _Rank:
    """Give what any two values of one column can be compared by; nothing comes first."""
    match value:
        case None:
            return 0, 0
        case int():  # also a boolean
            return 1, int(value)
        case Decimal():
            return 1, int(value * _THOUSANDTHS)
        case datetime():
            return 1, round((value - _EPOCH).total_seconds() * 1_000_000)
        case tuple():
            return 2, " ".join(value)
        case str():
            return 2, value


def _texts(value: Value) -> tuple[str, ...]:
    """Give what a filter may be written like."""
    match value:
        case None:
            return ("",)
        case bool():
            return _YES_AND_NO[value]
        case tuple():
            return value or ("",)
        case datetime():
            return (value.isoformat(),)
        case _:
            return (str(value),)


def _condition(columns: Columns[T], filters: Iterable[str]) -> Callable[[T], bool]:
    patterns: defaultdict[str, list[re.Pattern[str]]] = defaultdict(list)
    for text in filters:
        key, equals, wanted = text.partition("=")
        if not equals or key not in columns.values:
            raise FilterInvalidError(text, columns.values)
        pattern = ".*".join(map(re.escape, wanted.split("*")))
        patterns[key].append(re.compile(pattern, re.DOTALL))

    def holds(thing: T) -> bool:
        return all(
            any(
                one.fullmatch(text) for text in _texts(columns.values[key](thing)) for one in any_of
            )
            for key, any_of in patterns.items()
        )

    return holds
