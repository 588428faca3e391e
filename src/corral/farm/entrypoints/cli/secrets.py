"""Secrets that people give: typed unseen, or out of a file, never as a word of the command.

What stands on a command line is in the shell's history and in every process list.
"""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from corral.farm.domain.access.password import LONGEST, Password, PasswordUnfitError

if TYPE_CHECKING:
    from corral.farm.application.give_password import HowToSignIn

STANDARD_INPUT: Final = Path("-")
_MOST_BYTES: Final = 4 * LONGEST + 2

OneTimeOption = Annotated[
    bool,
    typer.Option(
        "--one-time",
        help="The default: a secret, printed now and good for choosing a password once.",
        show_default=False,
    ),
]
AskOption = Annotated[
    bool, typer.Option("--ask", help="Ask for the password, unseen.", show_default=False)
]
PasswordFileOption = Annotated[
    Path | None,
    typer.Option(
        "--password-file",
        metavar="FILE",
        help="Read the password from a file that is yours alone; - is the standard input.",
        show_default=False,
    ),
]
NoPasswordOption = Annotated[
    bool,
    typer.Option(
        "--no-password",
        help="Nobody signs in to it with a password; it may have tokens.",
        show_default=False,
    ),
]


def how_to_sign_in(
    *, one_time: bool, ask: bool, file: Path | None, none: bool
) -> HowToSignIn | Password:
    """Give what the options say; a secret is made if they say nothing."""
    from corral.farm.application.give_password import HowToSignIn  # noqa: PLC0415 - not for help

    if sum((one_time, ask, file is not None, none)) > 1:
        message = "choose one of --one-time, --ask, --password-file and --no-password"
        raise typer.BadParameter(message)
    if ask:
        return Password(typed("Password", is_new=True))
    if file is not None:
        return Password(first_line(file))
    return HowToSignIn.NOT_AT_ALL if none else HowToSignIn.ONE_TIME


def typed(what: str, *, is_new: bool = False) -> str:
    """Ask for a secret, unseen; twice for one that is new."""
    said: str = typer.prompt(what, hide_input=True, confirmation_prompt=is_new, err=True)
    return said


def first_line(file: Path) -> str:
    """Read a secret out of a file that is the caller's alone, or of the standard input."""
    if file == STANDARD_INPUT:
        return sys.stdin.readline(_MOST_BYTES).rstrip("\r\n")
    try:
        with file.open(encoding="utf-8") as opened:
            if stat.S_IMODE(os.fstat(opened.fileno()).st_mode) & (stat.S_IRWXG | stat.S_IRWXO):
                why = f"others may read {file}: take that from them with 'chmod 600 {file}'"
                raise PasswordUnfitError(why)
            return opened.readline(_MOST_BYTES).rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        why = f"{file} cannot be read"
        raise PasswordUnfitError(why) from error
