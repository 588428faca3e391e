"""Add a server and its store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from corral.farm.domain.estate.errors import ServerNameTakenError, StoreTakenError
from corral.farm.domain.estate.server import Server, ServerId, ServerName
from corral.farm.domain.estate.store import StoreFolder

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from corral.farm.application.ports.chunk_stores import ChunkStores
    from corral.farm.application.ports.records import Transactions
    from corral.farm.application.ports.secret_files import SecretFiles
    from corral.farm.application.ports.sources import Clock, IdSource, TokenSource
    from corral.farm.domain.estate.address import Address


@dataclass(frozen=True)
class NewServer:
    """What is asked for. What is not advertised apart is advertised as it listens."""

    name: ServerName
    store_path: Path
    """Absolute."""
    listen: tuple[Address, ...]
    chunks_listen: Address
    advertised: tuple[Address, ...] = ()
    chunks_advertised: Address | None = None


@dataclass(frozen=True)
class AddedServer:
    """The server, and the file that its stream process starts from."""

    server: Server
    file: Path


class AddServer:
    """Makes the store, issues the token, and hands it over in the server's file."""

    def __init__(  # noqa: PLR0913 - ports are few words each; a bundle would only hide them
        self,
        *,
        transactions: Transactions,
        stores: ChunkStores,
        secret_files: SecretFiles,
        ids: IdSource,
        tokens: TokenSource,
        clock: Clock,
    ) -> None:
        self._transactions = transactions
        self._stores = stores
        self._secret_files = secret_files
        self._ids = ids
        self._tokens = tokens
        self._clock = clock

    def __call__(self, wanted: NewServer) -> AddedServer:
        """Give the added server.

        Raises ``ServerNameTakenError``, ``StoreTakenError``, ``AddressUnreachableError`` and what
        making a store raises.
        """
        advertised = tuple(a.reachable() for a in wanted.advertised or wanted.listen)
        chunks_advertised = (wanted.chunks_advertised or wanted.chunks_listen).reachable()
        with self._transactions.reading() as records:
            farm = records.farm.get()
            # Looked at before the store is made, so that a refusal leaves no folder behind; `add`
            # below looks again under the writer's lock.
            _refuse_taken(wanted, records.servers.all())
        folder_id = self._stores.create(wanted.store_path, farm.id)
        token = self._tokens.new()
        server = Server(
            id=ServerId(self._ids.new()),
            name=wanted.name,
            store=StoreFolder(folder_id, wanted.store_path),
            listen=wanted.listen,
            advertised=advertised,
            chunks_listen=wanted.chunks_listen,
            chunks_advertised=chunks_advertised,
            token_digest=token.digest(),
            added_at=self._clock.now(),
        )
        with self._transactions.writing() as records:
            records.servers.add(server)
            records.farm.raise_generation()
            # Inside the transaction: a server whose token nobody has would be of no use.
            file = self._secret_files.for_server(farm, server, token)
        return AddedServer(server, file)


def _refuse_taken(wanted: NewServer, servers: Iterable[Server]) -> None:
    for server in servers:
        if server.name == wanted.name:
            raise ServerNameTakenError(wanted.name)
        if server.store.path == wanted.store_path:
            raise StoreTakenError(wanted.store_path, server.name)
