"""Drain a server: send it no more devices, and let those that it has move on."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from corral.farm.application.ports.records import Transactions
    from corral.farm.domain.estate.server import Server, ServerName


class DrainServer:
    """Nothing is cut off: the server goes on answering until its devices have left."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def __call__(self, name: ServerName) -> Server:
        """Give the server as it is now; one that drains already stays so."""
        with self._transactions.writing() as records:
            server = records.servers.get(name)
            if not server.draining:
                records.servers.set_draining(server.id, draining=True)
                records.farm.raise_generation()
            return server.drained(draining=True)
