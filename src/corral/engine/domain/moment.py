"""Moments by a clock that nobody can set: seconds since the computer was started.

The wall clock of a computer may be wrong by years and jump. What an engine decides by time, it
decides by these, and a moment of an earlier run of the computer is known for one.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Moment:
    """A moment in one run of the computer."""

    boot: str
    """The run: another each time that the computer starts."""
    seconds: float

    def seconds_since(self, earlier: Moment) -> float | None:
        """Give how long ago ``earlier`` was; None if the computer was restarted in between."""
        return self.seconds - earlier.seconds if earlier.boot == self.boot else None

    def has_passed(self, since: Moment, seconds: float) -> bool:
        """Whether ``seconds`` have gone by since; a restart of the computer ends every wait."""
        passed = self.seconds_since(since)
        return passed is None or passed >= seconds
