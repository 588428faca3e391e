"""How errors leave the command line: a message, a code, an exit status, never a traceback."""

from __future__ import annotations

import json
import sys
from enum import IntEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from corral.farm.domain.errors import (
    DamagedError,
    DeniedError,
    DomainError,
    EnvironmentFaultError,
    InvalidInputError,
    RefusedError,
    TakenError,
    TryAgainError,
    UnknownThingError,
)
from corral.farm.domain.image.errors import WorkCancelledError

if TYPE_CHECKING:
    from collections.abc import Mapping


class ExitCode(IntEnum):
    """What a script can tell from the exit status alone; documented in ``docs/reference/errors.md``."""  # noqa: E501

    DONE = 0
    REFUSED = 1
    """A rule forbids it, or what was given cannot be right."""
    USAGE = 2
    """The command line itself is wrong."""
    UNKNOWN = 3
    """The named thing does not exist."""
    TRY_AGAIN = 4
    """The same command may succeed later."""
    DAMAGED = 5
    """Damaged bytes were found."""
    ENVIRONMENT = 6
    """This machine lacks something."""
    FINDINGS = 7
    """The farm check found something above a notice."""
    UNEXPECTED = 70
    """A fault of Corral's own."""
    INTERRUPTED = 130


# By family, so that a new error has an exit code from its first day; the nearest ancestor counts.
EXIT_CODES: Final[Mapping[type[DomainError], ExitCode]] = MappingProxyType(
    {
        InvalidInputError: ExitCode.REFUSED,
        TakenError: ExitCode.REFUSED,
        RefusedError: ExitCode.REFUSED,
        DeniedError: ExitCode.REFUSED,
        UnknownThingError: ExitCode.UNKNOWN,
        TryAgainError: ExitCode.TRY_AGAIN,
        DamagedError: ExitCode.DAMAGED,
        EnvironmentFaultError: ExitCode.ENVIRONMENT,
        WorkCancelledError: ExitCode.INTERRUPTED,
    }
)


def exit_code_of(kind: type[DomainError]) -> ExitCode:
    """Give the exit code of an error class."""
    for ancestor in kind.__mro__:
        if ancestor in EXIT_CODES:
            return EXIT_CODES[ancestor]
    return ExitCode.REFUSED


def say(message: str, code: str, *, as_json: bool) -> None:
    """Write an error to the standard error stream, for a person or for a program."""
    if as_json:
        sys.stderr.write(json.dumps({"code": code, "message": message}) + "\n")
    else:
        sys.stderr.write(f"error: {message}\ncode: {code}\n")
