"""What differs between a farm that was restored and what others know, as the API tells it."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from corral.wire.message import Message, Name, Part


class Difference(Part):
    """One thing that is not everywhere the same."""

    code: str
    """Stable; the table is in the reference."""
    object: str
    """What it is about, such as ``version golden/2``."""
    meaning: str
    backup: str
    """What the backup says."""
    said: str
    """What the farm is known to have said or heard last."""
    live: str
    """What is so, as those concerned say."""
    accepting: str
    """What accepting does."""


class FarmDifference(Message):
    """The answer to ``GET /v1/farm/difference``, and to who accepts it."""

    taken_at: datetime
    """When the backup was."""
    restored_at: datetime
    observes: bool
    """Nobody has accepted it yet: the farm takes nothing away and refuses changes."""
    waits: bool
    """There is something to accept."""
    accepted_at: datetime | None = None
    accepted_by: str = ""
    because: str = ""
    seen: str
    """A word for exactly this list: who accepts it names it, to accept no other."""
    differences: tuple[Difference, ...]


class AcceptedDifference(Message):
    """The body of ``POST /v1/farm/difference``."""

    because: Annotated[str, Field(min_length=1, max_length=1000)]
    seen: Annotated[str, Field(max_length=64)] | None = None
    """The word of the list that was looked at; none accepts whatever there is."""
    taking_from: Annotated[tuple[Name, ...], Field(max_length=1000)] = ()
    """Computers that are given orders though these take from them what they have."""
