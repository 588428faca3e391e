"""The root of every error that a rule of the farm can raise, and its families.

A family says what the person (or program) who gets the error can do about it; entry points
translate them by one table each (exit codes, HTTP status). A concrete error lies in the package
whose rule it states. Its ``code`` is stable for ever; its message names the thing, the rule and the
way out; its docstring is the entry of ``docs/reference/errors.md``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Iterator


class DomainError(Exception):
    """A rule of the farm was broken, or could not be kept."""

    code: ClassVar[str]
    """Stable kebab-case name of the broken rule; never reused for another rule."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class InvalidInputError(DomainError):
    """What was given can never be right in this form: correct it and try again."""


class UnknownThingError(DomainError):
    """The named thing does not exist: look at the list, correct the name."""


class TakenError(DomainError):
    """The name or address belongs to something else: choose another or remove its owner."""


class RefusedError(DomainError):
    """The request is well formed, but the state of the farm forbids it: change that state first."""


class TryAgainError(DomainError):
    """Nothing is wrong with the request: somebody or something has to finish or come back first."""


class EditConflictError(TryAgainError):
    """Somebody else changed the thing since it was looked at: look again, then decide again.

    Trying the same again is of no use by itself, so that programs must not do it.
    """


class DamagedError(DomainError):
    """Bytes are not what their name says: heal them, or give a sound copy."""


class DeniedError(DomainError):
    """The caller did not prove that it may do this."""


class EnvironmentFaultError(DomainError):
    """The machine lacks what the farm needs: a program, a newer release, a readable folder."""


def concrete_errors() -> Iterator[type[DomainError]]:
    """Every error class with a code that has been imported, in the order of their codes."""
    found: dict[str, type[DomainError]] = {}
    waiting: list[type[DomainError]] = [DomainError]
    while waiting:
        kind = waiting.pop()
        waiting.extend(kind.__subclasses__())
        if "code" in vars(kind):
            found[kind.code] = kind
    yield from (found[code] for code in sorted(found))
