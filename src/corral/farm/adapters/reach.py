"""Whether somebody answers at an address, seen from this machine."""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from corral.farm.domain.estate.address import Address

_SECONDS: Final = 2.0
_AT_ONCE: Final = 64


class TcpReach:
    """Connects, and says nothing."""

    def unanswered(self, addresses: Collection[Address]) -> Mapping[Address, str]:
        """Give the addresses at which nobody answers, each with why."""
        if not addresses:
            return {}
        asked = tuple(dict.fromkeys(addresses))
        with ThreadPoolExecutor(min(_AT_ONCE, len(asked))) as pool:
            said = zip(asked, pool.map(_problem, asked), strict=True)
            return {address: problem for address, problem in said if problem}


def _problem(address: Address) -> str:
    try:
        socket.create_connection((address.host, address.port), timeout=_SECONDS).close()
    except TimeoutError:
        return f"no answer within {_SECONDS:.0f} seconds"
    except OSError as error:
        return (error.strerror or str(error)).lower()
    return ""
