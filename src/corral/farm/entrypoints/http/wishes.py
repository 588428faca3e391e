"""What a request wants to see of a list, and what it last saw of a thing that it changes."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Header, Query, Response
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from corral.farm.application.edits import KEEP, Edit
from corral.farm.application.listing import Wish

T = TypeVar("T")
V = TypeVar("V")


def _wish(
    filters: Annotated[
        list[str] | None,
        Query(
            alias="filter",
            description="KEY=VALUE, where * stands for anything; several: one of a key, all keys.",
        ),
    ] = None,
    sort: Annotated[str | None, Query(description="KEY, or -KEY for downwards.")] = None,
    limit: Annotated[int | None, Query(description="Things of a page; all if not given.")] = None,
    after: Annotated[str | None, Query(description="The `next` of the page before.")] = None,
) -> Wish:
    return Wish(tuple(filters or ()), sort, limit, after)


Wished = Annotated[Wish, Depends(_wish)]
"""The parameters that every list has."""

NO_REVISION = 0
"""What no thing ever has."""


def _expected(
    if_match: Annotated[
        str | None, Header(description="The ETag of what was seen, or * for whatever is there.")
    ] = None,
) -> int | None:
    if if_match is None:
        raise HTTPException(
            HTTPStatus.PRECONDITION_REQUIRED,
            "send If-Match with the ETag that you were given, so that nobody's change is lost;"
            " or '*' to change whatever is there",
        )
    if if_match.strip() == "*":
        return None
    number = if_match.strip().removeprefix("W/").strip('"')
    return int(number) if number.isascii() and number.isdecimal() else NO_REVISION


Expected = Annotated[int | None, Depends(_expected)]
"""The revision that a change is meant for; none for whatever is there."""


def tag(response: Response, revision: int) -> None:
    """Say which revision an answer shows."""
    response.headers["ETag"] = f'"{revision}"'


def edit_of(message: BaseModel, field: str, read: Callable[[Any], T]) -> Edit[T]:
    """Read a field of an edit, if it is there."""
    return read(getattr(message, field)) if field in message.model_fields_set else KEEP


def or_none(read: Callable[[Any], T]) -> Callable[[Any], T | None]:
    """Read a field that null clears."""
    return lambda value: None if value is None else read(value)
