"""Verify a store: read everything in it and compare it with its name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from corral.farm.application.verify_version import note_verification

if TYPE_CHECKING:
    from corral.farm.application.ports.chunk_stores import ChunkStores, StoreVerification
    from corral.farm.application.ports.records import Transactions
    from corral.farm.application.ports.sources import Clock
    from corral.farm.application.progress import Progress
    from corral.farm.domain.estate.server import Server, ServerName
    from corral.farm.domain.image.version import VersionName


@dataclass(frozen=True)
class StoreReport:
    """What was found."""

    server: Server
    found: StoreVerification
    affected: tuple[VersionName, ...]
    """Published versions that need a damaged chunk."""


class VerifyStore:
    """Reads a whole store; damaged replicas get no more devices until they are sound again."""

    def __init__(self, transactions: Transactions, stores: ChunkStores, clock: Clock) -> None:
        self._transactions = transactions
        self._stores = stores
        self._clock = clock

    def __call__(self, server_name: ServerName, progress: Progress) -> StoreReport:
        """Give what was found."""
        with self._transactions.reading() as records:
            farm = records.farm.get()
            server = records.servers.get(server_name)
        found = self._stores.open(server.store.path, farm.id).verify(progress)
        with self._transactions.writing() as records:
            note_verification(records, server, found, self._clock)
            affected = tuple(
                version.name
                for version in records.versions.all()
                if version.is_published and version.root in found.affected_roots
            )
        return StoreReport(server, found, affected)
