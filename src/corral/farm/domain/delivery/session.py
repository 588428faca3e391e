"""A session: one connection of a device to a server's export, as that server reports it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from corral.farm.domain.delivery.device import DeviceId
    from corral.farm.domain.estate.server import ServerId


@dataclass(frozen=True)
class Session:
    """Who streams what from where."""

    server_id: ServerId
    device_id: DeviceId | None
    """The subject of the ticket; none for a local reader on a socket that needs no ticket."""
    export: str
    """The export's name, ``image/number``."""
    address: str
    """The peer's address as the server sees it."""
    connected_at: datetime
    sent_bytes: int
    read_at: datetime | None = None
    """When the farm last saw it grow; unknown until it does."""
