"""Arguments of tasks as people write them: ``KEY=VALUE`` words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from corral.farm.domain.task.task import Argument

_FLAGS: Final = {"true": True, "yes": True, "false": False, "no": False}

KindArgument = Annotated[
    str,
    typer.Argument(
        help="import, replicate, verify, heal, collect, scrub, seal, rebalance, backup or library.",
        metavar="KIND",
    ),
]
ArgumentsArgument = Annotated[
    list[str] | None,
    typer.Argument(help="Its arguments; a KEY twice gives a list.", metavar="KEY=VALUE"),
]


def read_arguments(words: Sequence[str] | None) -> dict[str, Argument]:
    """Read the words."""
    given: dict[str, Argument] = {}
    for word in words or ():
        key, equals, text = word.partition("=")
        if not equals or not key:
            message = f"{word!r} is not KEY=VALUE"
            raise typer.BadParameter(message)
        value = _FLAGS.get(text, text)
        before = given.get(key)
        if before is None:
            given[key] = value
        else:
            given[key] = (*(before if isinstance(before, tuple) else (str(before),)), text)
    return given
