"""A replica: one version's chunks in one server's store."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from math import exp
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from datetime import datetime

    from corral.farm.domain.estate.server import ServerId
    from corral.farm.domain.image.root import RootHash

_PACE_SECONDS: Final = 20.0
"""What came longer ago counts for little in the pace; on a thin line a chunk may take as long."""


class ReplicaState(StrEnum):
    """What a server last said of a replica that the farm wants it to hold.

    These are observations and no state machine: a store can lose or regain bytes at any moment, so
    that any report may follow any other. Only ``REMOVING`` is the farm's own word.
    """

    WANTED = "wanted"
    """The farm wants it; the server has said nothing yet."""
    FETCHING = "fetching"
    COMPLETE = "complete"
    """Every chunk is there. The only state in which devices are sent to the server for it."""
    DAMAGED = "damaged"
    """Some chunks are missing or do not match their names."""
    STUCK = "stuck"
    """The server cannot go on by itself; the problem says why."""
    REMOVING = "removing"
    """The server was told to forget it: no version has this root any more, or there are copies
    enough without it. Stands until the server says that it has, or until the root is published
    again elsewhere."""


@dataclass(frozen=True)
class Replica:
    """What the farm wants, and what the server says it has."""

    server_id: ServerId
    root: RootHash
    wanted_at: datetime
    state: ReplicaState = ReplicaState.WANTED
    done_bytes: int = 0
    """Bytes of the image whose chunks are there."""
    total_bytes: int = 0
    """Bytes of the image; 0 while the server does not know."""
    fetched_bytes: int = 0
    """Bytes that came over the network for it."""
    problem: str = ""
    reported_at: datetime | None = None
    completed_at: datetime | None = None
    """When it was first complete; kept when it is damaged later."""
    doubt: int = 0
    """The farm's generation in which a verification found damage; 0 if none stands.

    A server that says "complete" does not settle a doubt: a healing does that began after it, or a
    verification that finds nothing.
    """

    by_hand: bool = False
    """Somebody asked for it on this server: no policy takes it away."""

    bytes_per_second: int = 0
    """At what pace ``done_bytes`` has risen lately."""

    def pace_with(self, done_bytes: int, now: datetime) -> int:
        """Give the pace after another look at what is there.

        A process that starts anew counts again from the beginning: that says nothing of the pace.
        """
        seconds = (now - (self.reported_at or self.wanted_at)).total_seconds()
        if seconds <= 0 or done_bytes < self.done_bytes:
            return self.bytes_per_second
        seen = (done_bytes - self.done_bytes) / seconds
        if not self.bytes_per_second:
            return round(seen)
        kept = exp(-seconds / _PACE_SECONDS)
        # Rounded down, so that what stands still comes to nothing in the end.
        return int(kept * self.bytes_per_second + (1 - kept) * seen)

    @property
    def is_removing(self) -> bool:
        """Whether the server was told to forget it."""
        return self.state is ReplicaState.REMOVING

    def doubted(self, generation: int, now: datetime) -> Replica:
        """Give the replica as it is after a verification found damage."""
        return replace(
            self,
            state=ReplicaState.DAMAGED,
            problem="chunks are damaged or missing",
            doubt=generation,
            reported_at=now,
        )

    def damaged(self, problem: str, now: datetime) -> Replica:
        """Give the replica as it is after a scrub found damage that nobody could heal."""
        return replace(self, state=ReplicaState.DAMAGED, problem=problem, reported_at=now)

    def found_sound(self, now: datetime) -> Replica:
        """Give the replica as it is after its bytes were read and no damage was left."""
        return replace(self, state=ReplicaState.COMPLETE, problem="", doubt=0, reported_at=now)

    @property
    def is_complete(self) -> bool:
        """Whether a device may be sent to this server for this root."""
        return self.state is ReplicaState.COMPLETE

    @property
    def is_offered(self) -> bool:
        """Whether the server offers it to devices.

        Once complete, a replica stays on offer: one damaged chunk, which is never served but
        fetched anew from another server, is no reason to cut off its devices.
        """
        return self.completed_at is not None
