"""Put versions on a medium that is carried to computers, and say what is on one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from corral.farm.application.choose_version import published_version
from corral.farm.application.chunk_peers import peers_of_all
from corral.farm.domain.image.errors import MediumEmptyError, StoreNotAStoreError
from corral.wire.medium import CHUNKS_FOLDER

if TYPE_CHECKING:
    from pathlib import Path

    from corral.farm.application.ports.certificates import CertificateAuthority
    from corral.farm.application.ports.chunk_stores import ChunkStores
    from corral.farm.application.ports.farm_key import FarmKey
    from corral.farm.application.ports.records import Transactions
    from corral.farm.application.ports.sources import Clock
    from corral.farm.application.progress import Progress
    from corral.farm.domain.image.version import Version, VersionName


@dataclass(frozen=True)
class Medium:
    """What is on a medium."""

    versions: tuple[Version, ...]
    """Those of the farm that are on it in full."""
    free_bytes: int


class SeedMedium:
    """Copies what a medium lacks of a version, from the servers' folders here and from servers.

    What is on it already stays. Killed or cut off, it goes on from there.
    """

    def __init__(
        self,
        transactions: Transactions,
        stores: ChunkStores,
        key: FarmKey,
        authority: CertificateAuthority,
        clock: Clock,
    ) -> None:
        self._transactions = transactions
        self._stores = stores
        self._key = key
        self._authority = authority
        self._clock = clock

    def __call__(self, folder: Path, name: VersionName, progress: Progress) -> Version:
        """Give the version, which is on the medium in full then.

        Raises ``VersionUnknownError``, ``StoreOtherFarmError`` for a medium of another farm,
        ``StoreFullError``, and ``StoreUnreachableError`` where nobody gives what is missing.
        """
        now = self._clock.now()
        with self._transactions.reading() as records:
            farm = records.farm.get()
            version = published_version(records, name)
            peers = peers_of_all(records, self._key, self._authority, now)
        path = folder / CHUNKS_FOLDER
        self._stores.create(path, farm.id)
        store = self._stores.open(path, farm.id)
        if not store.holds(version.root):
            store.fetch(version.root, peers, progress)
        return version


class ListMedium:
    """Says which of the farm's versions are on a medium."""

    def __init__(self, transactions: Transactions, stores: ChunkStores) -> None:
        self._transactions = transactions
        self._stores = stores

    def __call__(self, folder: Path) -> Medium:
        """Give them; writes nothing.

        Raises ``MediumEmptyError`` if nothing was ever put on it, and ``StoreOtherFarmError``.
        """
        with self._transactions.reading() as records:
            farm = records.farm.get()
            versions = [one for one in records.versions.all() if one.is_published]
        try:
            store = self._stores.open_to_read(folder / CHUNKS_FOLDER, farm.id)
        except StoreNotAStoreError as error:
            raise MediumEmptyError(folder) from error
        held = tuple(one for one in versions if store.holds(one.root))
        return Medium(held, store.free_bytes())
