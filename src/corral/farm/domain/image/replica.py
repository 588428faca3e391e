"""A replica: one version's chunks in one server's store."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from corral.farm.domain.estate.server import ServerId
    from corral.farm.domain.image.root import RootHash


class ReplicaState(StrEnum):
    """What a server last said of a replica that the farm wants it to hold.

    These are observations and no state machine: a store can lose or regain bytes at any moment, so
    that any report may follow any other.
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
