"""The farm: the whole installation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NewType
from uuid import UUID

from corral.farm.domain.naming import checked_name

if TYPE_CHECKING:
    from datetime import datetime

FarmId = NewType("FarmId", UUID)
FarmName = NewType("FarmName", str)


def farm_name(text: str) -> FarmName:
    """Check a name for a farm."""
    return FarmName(checked_name("farm", text))


@dataclass(frozen=True)
class Farm:
    """One installation with one database and one signing key."""

    id: FarmId
    name: FarmName
    public_key: bytes
    """Raw Ed25519 public key (32 bytes) that checks root signatures and tickets."""
    api_urls: tuple[str, ...]
    """Where servers and devices reach the API, best first."""
    created_at: datetime
    generation: int = 1
    """Raised by each change that a stream process must learn of; never goes back."""
