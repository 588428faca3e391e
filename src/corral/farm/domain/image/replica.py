"""A replica: one version's chunks in one server's store."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from corral.farm.domain.estate.server import ServerId
    from corral.farm.domain.image.root import RootHash


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
    """No version has this root any more, and the server was told to forget it. Stands until the
    server says that it has, or until the root is published again elsewhere."""


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
