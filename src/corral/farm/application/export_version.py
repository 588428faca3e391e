"""Export a version to a disk image file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from corral.farm.application.choose_version import holding_server, published_version
from corral.farm.application.chunk_peers import peers_of

if TYPE_CHECKING:
    from pathlib import Path

    from corral.farm.application.ports.certificates import CertificateAuthority
    from corral.farm.application.ports.chunk_stores import ChunkStores
    from corral.farm.application.ports.disk_files import DiskFiles, DiskFormat
    from corral.farm.application.ports.farm_key import FarmKey
    from corral.farm.application.ports.records import Transactions
    from corral.farm.application.ports.sources import Clock
    from corral.farm.application.progress import Progress
    from corral.farm.domain.estate.server import ServerName
    from corral.farm.domain.image.version import Version, VersionName


@dataclass(frozen=True)
class ExportRequest:
    """What to export, and to where."""

    version: VersionName
    target: Path
    format: DiskFormat
    server: ServerName | None = None
    """Whose store is read; by default the first that holds the version."""
    overwrite: bool = False


class ExportVersion:
    """Reads a version out of a store, each chunk checked, into a file of a wanted format."""

    def __init__(  # noqa: PLR0913 - one for each port
        self,
        *,
        transactions: Transactions,
        stores: ChunkStores,
        disk_files: DiskFiles,
        key: FarmKey,
        authority: CertificateAuthority,
        clock: Clock,
    ) -> None:
        self._transactions = transactions
        self._stores = stores
        self._disk_files = disk_files
        self._key = key
        self._authority = authority
        self._clock = clock

    def __call__(self, request: ExportRequest, progress: Progress) -> Version:
        """Give the exported version; raises ``ExportExistsError``, ``VersionNotHeldError``."""
        with self._transactions.reading() as records:
            farm = records.farm.get()
            version = published_version(records, request.version)
            server = holding_server(records, version, request.server)
            peers = peers_of(server, records, self._key, self._authority, self._clock.now())
        store = self._stores.open(server.store.path, farm.id)
        with store.served(version.root, peers) as disk:
            self._disk_files.write(
                disk, request.target, request.format, progress, overwrite=request.overwrite
            )
        return version
