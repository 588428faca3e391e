from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corral.farm.application.listing import EVERYTHING, Columns, Page, Wish, page_of
from corral.farm.domain.listing import (
    CursorInvalidError,
    FilterInvalidError,
    PageLimitInvalidError,
    SortInvalidError,
)

BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Thing:
    name: str
    size: int | None = None
    rating: Decimal = Decimal(1)
    at: datetime | None = None
    is_on: bool = False
    tags: tuple[str, ...] = ()


COLUMNS = Columns[Thing](
    values={
        "name": lambda t: t.name,
        "size": lambda t: t.size,
        "rating": lambda t: t.rating,
        "at": lambda t: t.at,
        "on": lambda t: t.is_on,
        "tag": lambda t: t.tags,
    },
    identity=lambda t: t.name,
)
THINGS = (
    Thing("b", 10, Decimal("2.5"), BEGINNING, is_on=True, tags=("x", "y")),
    Thing("a", 9, Decimal(10), BEGINNING - timedelta(days=60_000), tags=("y",)),
    Thing("c", None, Decimal("0.1"), None),
)


def names(page: Page[Thing]) -> str:
    return "".join(thing.name for thing in page.items)


def listed(*filters: str, sort: str | None = None) -> str:
    return names(page_of(THINGS, COLUMNS, Wish(filters, sort)))


def test_nothing_wished_for_is_everything_in_order() -> None:
    page = page_of(THINGS, COLUMNS, EVERYTHING)
    assert (names(page), page.total, page.next) == ("abc", 3, None)


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("name", "abc"),
        ("-name", "cba"),
        ("size", "cab"),  # 9 before 10, and nothing before both
        ("-size", "bac"),
        ("rating", "cba"),
        ("at", "cab"),
        ("on", "acb"),
        ("tag", "cba"),
    ],
)
def test_sorts_by_meaning_not_by_letters(sort: str, expected: str) -> None:
    assert listed(sort=sort) == expected


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (["name=a"], "a"),
        (["name=a", "name=c"], "ac"),  # one of the same key
        (["name=a", "on=yes"], ""),  # all of different keys
        (["on=yes"], "b"),
        (["on=true"], "b"),
        (["on=no"], "ac"),
        (["size="], "c"),
        (["size=1*"], "b"),
        (["tag=y"], "ab"),
        (["tag=x"], "b"),
        (["tag="], "c"),
        (["rating=2.5"], "b"),
        (["at=2026-*"], "b"),
        (["name=*"], "abc"),
        (["name=[ab]"], ""),  # brackets stand for themselves
        (["name=A"], ""),
    ],
)
def test_filters(filters: list[str], expected: str) -> None:
    assert listed(*filters) == expected


@pytest.mark.parametrize("text", ["colour=red", "name", "", "=a"])
def test_unknown_filter_names_the_keys(text: str) -> None:
    with pytest.raises(FilterInvalidError, match="name, size, rating"):
        listed(text)


@pytest.mark.parametrize("text", ["colour", "-", "--name"])
def test_unknown_sort_names_the_keys(text: str) -> None:
    with pytest.raises(SortInvalidError, match="name, size, rating"):
        listed(sort=text)


@pytest.mark.parametrize("limit", [0, -1, 10_001])
def test_length_of_a_page_is_bounded(limit: int) -> None:
    with pytest.raises(PageLimitInvalidError):
        page_of(THINGS, COLUMNS, Wish(limit=limit))


def test_cursor_is_of_one_order() -> None:
    cursor = page_of(THINGS, COLUMNS, Wish(sort="size", limit=1)).next
    for wish in (
        Wish(after=cursor),
        Wish(sort="-size", after=cursor),
        Wish(sort="size", after="x"),
    ):
        with pytest.raises(CursorInvalidError):
            page_of(THINGS, COLUMNS, wish)


@given(st.binary(max_size=60))
def test_any_cursor_but_ours_is_refused(content: bytes) -> None:
    with pytest.raises(CursorInvalidError):
        page_of(THINGS, COLUMNS, Wish(sort="size", after=content.hex()))


@given(
    st.lists(
        st.builds(
            Thing,
            name=st.text(max_size=3),
            size=st.none() | st.integers(0, 3),
            tags=st.lists(st.sampled_from("xyz"), max_size=2).map(tuple),
        ),
        unique_by=lambda thing: thing.name,
        max_size=30,
    ),
    st.sampled_from([None, "name", "-name", "size", "-size", "tag", "-tag", "on", "-on"]),
    st.integers(1, 7),
)
def test_pages_one_after_the_other_are_the_whole_list(
    things: list[Thing], sort: str | None, limit: int
) -> None:
    whole = page_of(things, COLUMNS, Wish(sort=sort)).items
    walked: list[Thing] = []
    after = None
    while True:
        page = page_of(things, COLUMNS, Wish(sort=sort, limit=limit, after=after))
        assert len(page.items) <= limit
        assert page.total == len(things)
        walked += page.items
        after = page.next
        if after is None:
            break
    assert tuple(walked) == whole


@given(st.data())
def test_what_is_removed_or_added_between_two_pages_hides_and_repeats_nothing(
    data: st.DataObject,
) -> None:
    before = data.draw(st.sets(st.integers(0, 50), min_size=2).map(sorted))
    first = page_of(
        [Thing(f"{n:02}") for n in before], COLUMNS, Wish(limit=data.draw(st.integers(1, 9)))
    )
    if first.next is None:
        return
    now = data.draw(st.sets(st.integers(0, 50)))
    second = page_of([Thing(f"{n:02}") for n in now], COLUMNS, Wish(after=first.next))
    last = int(first.items[-1].name)
    assert [int(thing.name) for thing in second.items] == sorted(n for n in now if n > last)


def test_ten_thousand_things_are_paged_by_looking_at_each_once_for_each_key() -> None:
    looked = 0

    def size(thing: Thing) -> int | None:
        nonlocal looked
        looked += 1
        return thing.size

    columns = Columns[Thing]({"size": size}, identity=lambda t: t.name)
    things = [Thing(f"{n:05}", n % 7) for n in range(10_000)]
    page = page_of(things, columns, Wish(("size=3",), "-size", 50))
    assert (len(page.items), page.total) == (50, 1429)
    # Once for the filter; once more for those that it let through; and for the cursor.
    assert looked <= 10_000 + 1429 + 1
