"""How options say what is to be different: what is not named stays."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, TypeVar

import typer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from corral.farm.application.edits import Edit

T = TypeVar("T")

NONE: Final = "none"
"""The word that clears a field."""

RevisionOption = Annotated[
    int | None,
    typer.Option(
        "--revision",
        metavar="N",
        help="Only if it still has this revision, as 'show' gave it.",
        show_default=False,
    ),
]
DescriptionOption = Annotated[
    str | None,
    typer.Option("--description", metavar="TEXT", help="What it is.", show_default=False),
]
SubnetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--subnet",
        metavar="SUBNET",
        help="Network that is near, such as 192.0.2.0/24; several; 'none' for none.",
        show_default=False,
    ),
]


def edit(text: str | None, read: Callable[[str], T]) -> Edit[T]:
    """Read a field that was named."""
    from corral.farm.application.edits import KEEP  # noqa: PLC0415 - not for `--help`

    return KEEP if text is None else read(text)


def optional_edit(text: str | None, read: Callable[[str], T]) -> Edit[T | None]:
    """Read a field that was named, and that ``none`` clears."""
    from corral.farm.application.edits import KEEP  # noqa: PLC0415 - not for `--help`

    if text is None:
        return KEEP
    return None if text == NONE else read(text)


def several_edit(
    texts: Sequence[str] | None, read: Callable[[Sequence[str]], tuple[T, ...]]
) -> Edit[tuple[T, ...]]:
    """Read a field of several values, all of which ``none`` alone clears."""
    from corral.farm.application.edits import KEEP  # noqa: PLC0415 - not for `--help`

    if texts is None:
        return KEEP
    return () if list(texts) == [NONE] else read(texts)


def absolute(text: str) -> Path:
    """Read a path as this command's folder sees it."""
    return Path(text).absolute()
