"""Tickets: signed permissions to open an export or fetch chunks, checked without a database."""

from __future__ import annotations

import base64
import struct
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from uuid import UUID

    from corral.farm.domain.image.root import RootHash

TICKET_LIFE: Final = timedelta(days=7)
RELAYED_TICKET_LIFE: Final = timedelta(days=31)
"""Of what computers fetch with at a relay: its line may be cut, and nobody can give them another.
A relay's certificate lives thirty days at the least, so that a longer one would be of no use."""

_FORMAT: Final = 1
_DOMAIN: Final = b"corral ticket v1\0"  # no signature for one purpose can be used for another
_CLAIMS: Final = struct.Struct("<BB32sQ16s")
_NO_ROOT: Final = bytes(32)


class Purpose(IntEnum):
    """What the bearer may do."""

    STREAM = 1
    """Open the export that has the ticket's root."""
    REPLICATE = 2
    """Fetch any chunk from a chunk server of the farm."""
    WRITE = 3
    """Open the subject's own overlay over the ticket's root."""
    FETCH = 4
    """Fetch the version with the ticket's root from a chunk server."""
    TRY = 5
    """Open the export that has the ticket's root on a server that drains, too: the farm's own,
    before devices come back to it."""


@dataclass(frozen=True)
class Ticket:
    """What a ticket claims; ``docs/formats`` draws its bytes."""

    purpose: Purpose
    subject: UUID
    """The device (to stream or write), the server (to replicate) or the computer (to fetch)."""
    expires_at: datetime
    root: RootHash | None = None
    """The version that may be streamed, written over or fetched; none for replication."""

    def claims(self) -> bytes:
        """Give the 58 bytes before the signature."""
        return _CLAIMS.pack(
            _FORMAT,
            self.purpose,
            _NO_ROOT if self.root is None else self.root.digest,
            int(self.expires_at.timestamp()),
            self.subject.bytes,
        )

    def message(self) -> bytes:
        """Give what the farm's key signs."""
        return _DOMAIN + self.claims()

    def sealed(self, signature: bytes) -> str:
        """Give the text form that its bearer shows: base64url without padding."""
        return base64.urlsafe_b64encode(self.claims() + signature).rstrip(b"=").decode("ascii")


def replication_expiry(now: datetime) -> datetime:
    """Give when a replication ticket issued at ``now`` ends: the same moment for a whole day.

    Signatures are deterministic, so a server's configuration stays byte for byte the same until the
    day turns and needs no new transfer each second; a ticket still lives six days at the least.
    """
    return now.replace(hour=0, minute=0, second=0, microsecond=0) + TICKET_LIFE


def fetch_expiry(now: datetime, *, is_relayed: bool) -> datetime:
    """Give when a computer's ticket for a version ends, the same moment for a whole day."""
    longer = RELAYED_TICKET_LIFE - TICKET_LIFE if is_relayed else timedelta(0)
    return replication_expiry(now) + longer
