"""Add a server and its store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from corral.farm.application.spread_versions import spread_versions
from corral.farm.domain.estate.capacity import NORMAL_POWER
from corral.farm.domain.estate.errors import ServerNameTakenError
from corral.farm.domain.estate.relay import RelayNeedsManagementError
from corral.farm.domain.estate.server import Server, ServerId, ServerName
from corral.farm.domain.estate.site import FIRST_SITE
from corral.farm.domain.estate.store import FIRST_STORE, StoreFolder

if TYPE_CHECKING:
    from pathlib import Path

    from corral.farm.application.ports.certificates import CertificateAuthority
    from corral.farm.application.ports.chunk_stores import ChunkStores
    from corral.farm.application.ports.records import Records, Transactions
    from corral.farm.application.ports.secret_files import SecretFiles
    from corral.farm.application.ports.sources import Clock, IdSource, TokenSource
    from corral.farm.domain.access.token import Token
    from corral.farm.domain.estate.address import Address
    from corral.farm.domain.estate.capacity import DeviceLimit, PowerRating
    from corral.farm.domain.estate.farm import Farm
    from corral.farm.domain.estate.site import SiteName
    from corral.farm.domain.estate.store import Store, StoreName
    from corral.farm.domain.estate.subnet import Subnet


@dataclass(frozen=True)
class NewServer:
    """What is asked for. What is not advertised apart is advertised as it listens."""

    name: ServerName
    store_path: Path | None
    """Absolute; none for the default one of its store."""
    listen: tuple[Address, ...]
    chunks_listen: Address
    advertised: tuple[Address, ...] = ()
    chunks_advertised: Address | None = None
    store: StoreName | None = None
    """None for the one that the farm began with, as is no site."""
    site: SiteName | None = None
    description: str = ""
    management: Address | None = None
    power_rating: PowerRating = NORMAL_POWER
    max_devices: DeviceLimit | None = None
    max_devices_booting: DeviceLimit | None = None
    subnets: tuple[Subnet, ...] = ()
    relay: bool = False


@dataclass(frozen=True)
class AddedServer:
    """The server, and all that its stream process has to know to start."""

    server: Server
    farm: Farm
    token: Token
    """Nobody has it but whoever is given this, or may read the file."""
    root: str
    """The farm's root certificate, by which the server knows the farm."""
    file: Path | None
    """Where it was written to; none if the caller hands it over."""


class AddServer:
    """Makes the store, issues the token, and hands it over."""

    def __init__(  # noqa: PLR0913 - ports are few words each; a bundle would only hide them
        self,
        *,
        transactions: Transactions,
        stores: ChunkStores,
        secret_files: SecretFiles,
        authority: CertificateAuthority,
        ids: IdSource,
        tokens: TokenSource,
        clock: Clock,
    ) -> None:
        self._transactions = transactions
        self._stores = stores
        self._secret_files = secret_files
        self._authority = authority
        self._ids = ids
        self._tokens = tokens
        self._clock = clock

    def __call__(self, wanted: NewServer, *, writes_file: bool = True) -> AddedServer:
        """Give the added server; without ``writes_file`` its token is in the answer alone.

        Raises ``ServerNameTakenError``, ``StoreTakenError``, ``AddressUnreachableError``,
        ``StoreUnknownError``, ``SiteUnknownError``, ``StorePathMissingError``,
        ``RelayNeedsManagementError`` and what making a store raises.
        """
        if wanted.relay and wanted.management is None:
            raise RelayNeedsManagementError(wanted.name)
        advertised = tuple(a.reachable() for a in wanted.advertised or wanted.listen)
        chunks_advertised = (wanted.chunks_advertised or wanted.chunks_listen).reachable()
        with self._transactions.reading() as records:
            farm = records.farm.get()
            site = records.sites.get(wanted.site) if wanted.site else FIRST_SITE
            store = _store(records, wanted)
            path = store.path_for(wanted.store_path)
            # Looked at before the folder is made, so that a refusal leaves none behind; `add`
            # below looks again under the writer's lock.
            if any(server.name == wanted.name for server in records.servers.all()):
                raise ServerNameTakenError(wanted.name)
        root = self._authority.root(farm)
        folder_id = self._stores.create(path, farm.id)
        token = self._tokens.new()
        server = Server(
            id=ServerId(self._ids.new()),
            name=wanted.name,
            store=StoreFolder(folder_id, path, store.id),
            listen=wanted.listen,
            advertised=advertised,
            chunks_listen=wanted.chunks_listen,
            chunks_advertised=chunks_advertised,
            token_digest=token.digest(),
            added_at=self._clock.now(),
            site_id=site.id,
            description=wanted.description,
            management=None if wanted.management is None else wanted.management.reachable(),
            power_rating=wanted.power_rating,
            max_devices=wanted.max_devices,
            max_devices_booting=wanted.max_devices_booting,
            subnets=wanted.subnets,
            relay=wanted.relay,
        )
        with self._transactions.writing() as records:
            # Somebody may have removed either while the folder was made.
            records.sites.with_id(server.site_id)
            records.stores.with_id(server.store.belongs_to)
            records.servers.add(server)
            records.farm.raise_generation()
            spread_versions(records, server.added_at)
            file = None
            if writes_file:
                # Inside the transaction: a server whose token nobody has would be of no use.
                file = self._secret_files.for_server(farm, server, token, root)
        return AddedServer(server, farm, token, root, file)


def _store(records: Records, wanted: NewServer) -> Store:
    if wanted.store is None:
        return records.stores.with_id(FIRST_STORE.id)
    return records.stores.get(wanted.store)
