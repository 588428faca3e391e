"""The root of every error that a rule of the engine can raise, and its families.

A family says what the person (or program) who gets the error can do about it. Each concrete error
has a stable ``code`` and a message that names the thing, the rule and the way out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Iterator


class EngineError(Exception):
    """A rule of the engine was broken, or could not be kept."""

    code: ClassVar[str]
    """Stable kebab-case name of the broken rule; never reused for another rule."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class InvalidInputError(EngineError):
    """What was given can never be right in this form: correct it and try again."""


class UnknownThingError(EngineError):
    """The named thing does not exist: look at the list, correct the name."""


class RefusedError(EngineError):
    """The state of the computer forbids it: change that state first."""


class TryAgainError(EngineError):
    """Nothing is wrong with the request: somebody or something has to finish or come back first."""


class DeniedError(EngineError):
    """Somebody did not prove that it is who it says."""


class EnvironmentFaultError(EngineError):
    """The computer lacks what the engine needs: a program, a readable folder, room."""


def concrete_errors() -> Iterator[type[EngineError]]:
    """Every error class with a code that has been imported, in the order of their codes."""
    found: dict[str, type[EngineError]] = {}
    waiting: list[type[EngineError]] = [EngineError]
    while waiting:
        kind = waiting.pop()
        waiting.extend(kind.__subclasses__())
        if "code" in vars(kind):
            found[kind.code] = kind
    yield from (found[code] for code in sorted(found))
