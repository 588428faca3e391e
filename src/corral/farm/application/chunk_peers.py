"""Which other servers can give a server chunks, and the ticket to ask them with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corral.farm.application.ports.chunk_stores import Peer, Peers
from corral.farm.domain.access.ticket import Purpose, Ticket, replication_expiry

if TYPE_CHECKING:
    from datetime import datetime

    from corral.farm.application.ports.certificates import CertificateAuthority
    from corral.farm.application.ports.farm_key import FarmKey
    from corral.farm.application.ports.records import Records
    from corral.farm.domain.estate.server import Server


def replication_ticket(server: Server, key: FarmKey, now: datetime) -> str:
    """Give a ticket with which ``server`` may fetch chunks from any other."""
    ticket = Ticket(Purpose.REPLICATE, server.id, replication_expiry(now))
    return ticket.sealed(key.sign(ticket.message()))


def peers_of_all(
    records: Records, key: FarmKey, authority: CertificateAuthority, now: datetime
) -> Peers:
    """Give every server, for a store that is no server's; folders first where they are here.

    Relays are left out: they are behind thin lines, and have nothing that others have not.
    """
    servers = [one for one in records.servers.all() if not one.relay]
    farm = records.farm.get()
    if not servers:
        return Peers()
    ticket = Ticket(Purpose.REPLICATE, farm.id, replication_expiry(now))
    return Peers(
        tuple(Peer(one.name, one.chunk_url) for one in servers),
        ticket.sealed(key.sign(ticket.message())),
        authority.root(farm),
        folders=tuple(dict.fromkeys(one.store.path for one in servers)),
    )


def peers_of(
    server: Server,
    records: Records,
    key: FarmKey,
    authority: CertificateAuthority,
    now: datetime,
) -> Peers:
    """Give every other server of the farm: chunks are verified by name, so any may be asked."""
    others = tuple(
        Peer(other.name, other.chunk_url) for other in records.servers.all() if other != server
    )
    if not others:
        return Peers()
    return Peers(others, replication_ticket(server, key, now), authority.root(records.farm.get()))
