"""Which other servers can give a server chunks, and the ticket to ask them with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corral.farm.application.ports.chunk_stores import Peer, Peers
from corral.farm.domain.access.ticket import Purpose, Ticket, replication_expiry

if TYPE_CHECKING:
    from datetime import datetime

    from corral.farm.application.ports.farm_key import FarmKey
    from corral.farm.application.ports.records import Records
    from corral.farm.domain.estate.server import Server


def replication_ticket(server: Server, key: FarmKey, now: datetime) -> str:
    """Give a ticket with which ``server`` may fetch chunks from any other."""
    ticket = Ticket(Purpose.REPLICATE, server.id, replication_expiry(now))
    return ticket.sealed(key.sign(ticket.message()))


def peers_of(server: Server, records: Records, key: FarmKey, now: datetime) -> Peers:
    """Give every other server of the farm: chunks are verified by name, so any may be asked."""
    others = tuple(
        Peer(other.name, other.chunk_url) for other in records.servers.all() if other != server
    )
    return Peers(others, replication_ticket(server, key, now)) if others else Peers()
