"""What a check-in says of one machine: the only thing that moves it through a rollout."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NewType

if TYPE_CHECKING:
    from datetime import datetime

Digest = NewType("Digest", str)
"""What is rolled out, by its content: the root of a version, or of a kit."""


class Told(StrEnum):
    """What the computer says of its own progress. It is believed for what is no success only."""

    UNDER_WAY = "under-way"
    ON_TRIAL = "on-trial"
    """It runs it, and may still go back by itself: nothing is proven, however long it runs."""
    HELD = "held"
    """It cannot take it as it is, and changed nothing."""
    FAILED = "failed"
    WENT_BACK = "went-back"
    DONE = "done"
    """It calls itself done. Shown to people, and no proof of anything."""


@dataclass(frozen=True)
class Evidence:
    """One machine in one check-in that was heard, at a moment of the farm's own clock."""

    at: datetime
    wanted: Digest | None = None
    """What its orders say, by its own word."""
    attempt: int = 0
    told: Told = Told.UNDER_WAY
    running: Digest | None = None
    """Attested: what it started from. None while it does not run, or nobody knows."""
    starts: int = 0
    """How often it was started, ever."""
    boot_milliseconds: int | None = None
    is_healthy: bool | None = None
    code: str = ""
    problem: str = ""
