"""The options that every list has, and how a page of one is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from corral.farm.entrypoints.cli.output import print_json, print_line, print_table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from corral.farm.application.listing import Columns, Page, Wish
    from corral.farm.entrypoints.cli.output import Json

T = TypeVar("T")

FilterOption = Annotated[
    list[str] | None,
    typer.Option(
        "--filter",
        metavar="KEY=VALUE",
        help="Only those; * in VALUE stands for anything. Several: one of a key, all keys.",
        show_default=False,
    ),
]
SortOption = Annotated[
    str | None,
    typer.Option(
        "--sort", metavar="[-]KEY", help="In this order; - turns it round.", show_default=False
    ),
]
LimitOption = Annotated[
    int | None,
    typer.Option(
        "--limit",
        metavar="N",
        help="At most so many; JSON is then an object with 'items', 'total' and 'next'.",
        show_default="all",
    ),
]
AfterOption = Annotated[
    str | None,
    typer.Option(
        "--after",
        metavar="CURSOR",
        help="Go on where a page ended: its 'next'.",
        show_default=False,
    ),
]


def wish_of(
    filters: Sequence[str] | None, sort: str | None, limit: int | None, after: str | None
) -> Wish:
    """Give what the four options say together."""
    from corral.farm.application.listing import Wish  # noqa: PLC0415 - not for `--help`

    return Wish(tuple(filters or ()), sort, limit, after)


def page_of(things: Iterable[T], columns: Columns[T], wish: Wish) -> Page[T]:
    """Give the page that was wished for."""
    from corral.farm.application.listing import page_of as page  # noqa: PLC0415

    return page(things, columns, wish)


def print_page_json(page: Page[T], wish: Wish, document: Callable[[T], dict[str, Json]]) -> None:
    """Print a list; as an object that says how to go on if somebody pages."""
    items: list[Any] = [document(item) for item in page.items]
    if wish.limit is None and wish.after is None:
        print_json(items)
    else:
        print_json({"items": items, "total": page.total, "next": page.next})


def print_page(
    page: Page[T],
    wish: Wish,
    columns: Sequence[str],
    row: Callable[[T], Sequence[str]],
    *,
    empty: str,
) -> None:
    """Print a table, and how to go on if it is not the whole list."""
    is_narrowed = bool(wish.filters) or wish.after is not None
    none_here = "nothing matches" if is_narrowed else empty
    print_table("", columns, map(row, page.items), empty=none_here)
    if page.next is not None:
        print_line(f"{len(page.items)} of {page.total}; next: --after {page.next}")
