"""Undrain a server: send it devices again."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from corral.farm.application.ports.records import Transactions
    from corral.farm.domain.estate.server import Server, ServerName


class UndrainServer:
    """Devices that log in from now on may be sent there; none is moved."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def __call__(self, name: ServerName) -> Server:
        """Give the server as it is now; one that does not drain stays so."""
        with self._transactions.writing() as records:
            server = records.servers.get(name)
            if server.draining:
                records.servers.set_draining(server.id, draining=False)
                records.farm.raise_generation()
            return server.drained(draining=False)
