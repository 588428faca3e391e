"""The root command, which catches whatever a command lets through."""

from __future__ import annotations

import os
import sys
import traceback
from contextlib import suppress
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from typer.core import TyperGroup
from typer.exceptions import Abort, TyperException

from corral.farm.domain.errors import DomainError
from corral.farm.entrypoints.cli.failures import ExitCode, exit_code_of, say
from corral.farm.entrypoints.cli.nouns import Nouns

if TYPE_CHECKING:
    from collections.abc import Sequence

DEBUG_VARIABLE: Final = "CORRAL_DEBUG"
FARM_OPTION: Final = "--farm"


class CorralGroup(TyperGroup):
    """Every noun's commands, loaded when they are called; every command's errors end here."""

    def __init__(self, **given: Any) -> None:  # noqa: ANN401 - what Typer makes of the program
        super().__init__(**given)
        self.commands = Nouns()

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
            if not as_json:
                sys.stderr.write(f"try: {_help_line(error)}\n")
            return ExitCode.USAGE
        except DomainError as error:
            if _is_debugging(arguments):
                traceback.print_exc()
            say(error.message, error.code, as_json=as_json)
            return exit_code_of(type(error))
        except (Abort, KeyboardInterrupt):
            say("interrupted", "interrupted", as_json=as_json)
            return ExitCode.INTERRUPTED
        except BrokenPipeError:
            # The reader of our output went away, as `head` does: no error of ours. What is still
            # buffered goes nowhere, so that the interpreter does not try again when it ends.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return ExitCode.DONE
        except Exception as error:  # noqa: BLE001 - the last line of defence against tracebacks
            if _is_debugging(arguments):
                traceback.print_exc()
            say(_unexpected(error, arguments), "unexpected", as_json=as_json)
            return ExitCode.UNEXPECTED


def _is_debugging(arguments: list[str]) -> bool:
    return "--debug" in arguments or bool(os.environ.get(DEBUG_VARIABLE))


def _help_line(error: TyperException) -> str:
    context = getattr(error, "ctx", None)
    path = getattr(context, "command_path", None) or "corral"
    return f"{path} --help"


def _unexpected(error: Exception, arguments: Sequence[str]) -> str:
    summary = f"something went wrong inside Corral ({type(error).__name__}: {error})"
    log = _written_down(_farm_named(arguments))
    where = "run it again with --debug before the command" if log is None else f"see {log}"
    return f"{summary}; {where}"


def _farm_named(arguments: Sequence[str]) -> Path | None:
    """Find the farm's folder again where no command is left to ask; the last one said counts."""
    named = None
    for option, value in zip_longest(arguments, arguments[1:]):
        if option == FARM_OPTION and value is not None:
            named = value
        elif option.startswith(f"{FARM_OPTION}="):
            named = option.partition("=")[2]
    return Path(named) if named else None


def _written_down(farm: Path | None) -> Path | None:
    """Append the traceback to the farm's log, if there is a folder to write to."""
    from corral.farm.settings import FarmSettings  # noqa: PLC0415 - only when it is needed

    with suppress(OSError, DomainError):
        settings = FarmSettings.read(farm, os.environ)
        if settings.folder.is_dir():
            settings.log_file.parent.mkdir(mode=0o700, exist_ok=True)
            with settings.log_file.open("a", encoding="utf-8") as log:
                log.write(traceback.format_exc())
            return settings.log_file
    return None
