"""How errors leave the command line: a message, a code, an exit status, never a traceback."""

from __future__ import annotations

import json
import os
import sys
import traceback
from enum import IntEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from typer.core import TyperGroup
from typer.exceptions import Abort, TyperException

from corral.engine.domain.errors import (
    DeniedError,
    EngineError,
    EnvironmentFaultError,
    InvalidInputError,
    RefusedError,
    TryAgainError,
    UnknownThingError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

DEBUG_VARIABLE: Final = "CORRAL_DEBUG"


class ExitCode(IntEnum):
    """What a script can tell from the exit status alone; the same as those of ``corral``."""

    DONE = 0
    REFUSED = 1
    USAGE = 2
    UNKNOWN = 3
    TRY_AGAIN = 4
    ENVIRONMENT = 6
    UNEXPECTED = 70
    INTERRUPTED = 130


EXIT_CODES: Final[Mapping[type[EngineError], ExitCode]] = MappingProxyType(
    {
        InvalidInputError: ExitCode.REFUSED,
        RefusedError: ExitCode.REFUSED,
        DeniedError: ExitCode.REFUSED,
        UnknownThingError: ExitCode.UNKNOWN,
        TryAgainError: ExitCode.TRY_AGAIN,
        EnvironmentFaultError: ExitCode.ENVIRONMENT,
    }
)


class AgentSaidNoError(Exception):
    """What a running agent answered to a command."""

    def __init__(self, code: str, message: str, exit_code: ExitCode) -> None:
        super().__init__(message)
        self.code, self.message, self.exit_code = code, message, exit_code


class EngineGroup(TyperGroup):
    """Every command's errors end here."""

    def main(  # noqa: D102 - the signature is Typer's
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,  # noqa: FBT001, FBT002
        windows_expand_args: bool = True,  # noqa: FBT001, FBT002
        **extra: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        arguments = list(sys.argv[1:] if args is None else args)
        code = self._guarded(
            arguments,
            prog_name=prog_name,
            complete_var=complete_var,
            windows_expand_args=windows_expand_args,
            **extra,
        )
        if standalone_mode:
            sys.exit(code)
        return code

    def _guarded(self, arguments: list[str], **extra: Any) -> int:  # noqa: ANN401
        as_json = "--json" in arguments
        try:
            outcome = super().main(args=arguments, standalone_mode=False, **extra)
            if outcome == ExitCode.INTERRUPTED:  # Typer makes an interrupt an ending of its own
                say("interrupted", "interrupted", as_json=as_json)
            return outcome if isinstance(outcome, int) else ExitCode.DONE
        except TyperException as error:
            say(error.format_message(), "usage", as_json=as_json)
            return ExitCode.USAGE
        except AgentSaidNoError as error:
            say(error.message, error.code, as_json=as_json)
            return error.exit_code
        except EngineError as error:
            say(error.message, error.code, as_json=as_json)
            return exit_code_of(type(error))
        except (Abort, KeyboardInterrupt):
            say("interrupted", "interrupted", as_json=as_json)
            return ExitCode.INTERRUPTED
        except BrokenPipeError:
            # The reader of our output went away, as `head` does: no error of ours.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return ExitCode.DONE
        except Exception as error:  # noqa: BLE001 - the last line of defence against tracebacks
            if "--debug" in arguments or os.environ.get(DEBUG_VARIABLE):
                traceback.print_exc()
            message = (
                f"something went wrong inside the engine ({type(error).__name__}: {error});"
                " run it again with --debug before the command"
            )
            say(message, "unexpected", as_json=as_json)
            return ExitCode.UNEXPECTED


def exit_code_of(kind: type[EngineError]) -> ExitCode:
    """Give the exit code of an error class: that of its family."""
    return next((EXIT_CODES[one] for one in kind.__mro__ if one in EXIT_CODES), ExitCode.REFUSED)


def say(message: str, code: str, *, as_json: bool) -> None:
    """Write an error to the standard error stream, for a person or for a program."""
    if as_json:
        sys.stderr.write(json.dumps({"code": code, "message": message}) + "\n")
    else:
        sys.stderr.write(f"error: {message}\ncode: {code}\n")
