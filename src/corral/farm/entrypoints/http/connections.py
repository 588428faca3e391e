"""Connections, of which no address gets so many that none is left for others."""

import asyncio
from typing import Final

from uvicorn.protocols.http.h11_impl import H11Protocol

from corral.farm.domain.access.attempts import network_of

OF_ONE_ADDRESS: Final = 256
"""A room that is switched on behind one router has more devices than this, but not more that speak
with the API at the same moment; those that are sent away try again."""


class FewConnections(H11Protocol):
    """Closes a connection beyond the bound of its address at once, before it costs anything."""

    of_one_address = OF_ONE_ADDRESS

    def connection_made(  # type: ignore[override] # as in the class above
        self, transport: asyncio.Transport
    ) -> None:
        """Take the connection, or close it."""
        super().connection_made(transport)
        if self.client is None:
            return
        network = network_of(self.client[0])
        same = (
            one
            for one in self.connections
            if (client := getattr(one, "client", None)) is not None
            and network_of(client[0]) == network
        )
        if sum(1 for _ in same) > self.of_one_address:
            transport.abort()
