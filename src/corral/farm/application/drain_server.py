"""Drain a server: send it no more devices, and let those that it has move on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corral.farm.application.look_at_placement import look_at_placement
from corral.farm.domain.delivery.errors import DrainUnsafeError
from corral.farm.domain.delivery.safety import unsafe_without

if TYPE_CHECKING:
    from corral.farm.application.ports.records import Transactions
    from corral.farm.application.ports.sources import Clock
    from corral.farm.domain.estate.server import Server, ServerName


class DrainServer:
    """Proves first that every device of the server has a place elsewhere.

    Nothing is cut off: the server goes on answering until its devices have left. The proof and the
    flag are one transaction, so that two servers cannot be drained for each other's room.
    """

    def __init__(self, transactions: Transactions, clock: Clock) -> None:
        self._transactions = transactions
        self._clock = clock

    def __call__(self, name: ServerName) -> Server:
        """Give the server as it is now; one that drains already stays so.

        Raises ``DrainUnsafeError``, which names the devices that would be at risk.
        """
        now = self._clock.now()
        with self._transactions.writing() as records:
            server = records.servers.get(name)
            if not server.draining:
                stranded = unsafe_without(look_at_placement(records, now), server.id)
                if stranded:
                    raise DrainUnsafeError(server.name, stranded)
                records.servers.set_draining(server.id, draining=True)
                records.farm.raise_generation()
            return server.drained(draining=True)
