"""Recognise a server by its token."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corral.farm.domain.access.token import TokenWrongError
from corral.farm.domain.estate.errors import ServerRemovedError

if TYPE_CHECKING:
    from corral.farm.application.ports.records import Transactions
    from corral.farm.domain.access.token import Token
    from corral.farm.domain.estate.server import ServerId


class RecogniseServer:
    """Tells which server a caller is."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def __call__(self, token: Token) -> ServerId:
        """Give the server's id; raises ``TokenWrongError``, ``ServerRemovedError``."""
        digest = token.digest()
        with self._transactions.reading() as records:
            server = records.servers.with_token(digest)
            former = None if server is not None else records.servers.with_former_token(digest)
        if former is not None:
            raise ServerRemovedError.on(former.name, f"{former.removed_at:%Y-%m-%d %H:%M} UTC")
        if server is None:
            msg = "server"
            raise TokenWrongError(msg)
        return server.id
