"""Verify a version: its signature, and every chunk of it in one store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from corral.farm.application.choose_version import published_version
from corral.farm.application.shared_folders import replicas_in_folder
from corral.farm.domain.image.errors import SignatureWrongError, VersionNotHeldError
from corral.farm.domain.image.replica import ReplicaState

if TYPE_CHECKING:
    from corral.farm.application.ports.chunk_stores import ChunkStores, StoreVerification
    from corral.farm.application.ports.farm_key import SignatureCheck
    from corral.farm.application.ports.records import Records, Transactions
    from corral.farm.application.ports.sources import Clock
    from corral.farm.application.progress import Progress
    from corral.farm.domain.estate.server import Server, ServerName
    from corral.farm.domain.image.version import Version, VersionName


@dataclass(frozen=True)
class VersionVerification:
    """What was found."""

    version: Version
    server: Server
    store: StoreVerification

    @property
    def is_sound(self) -> bool:
        """Whether every chunk that the version needs is there and is what its name says."""
        return self.version.root not in self.store.affected_roots


class VerifyVersion:
    """Checks the farm's signature, then reads the store."""

    def __init__(
        self,
        transactions: Transactions,
        stores: ChunkStores,
        is_signed: SignatureCheck,
        clock: Clock,
    ) -> None:
        self._transactions = transactions
        self._stores = stores
        self._is_signed = is_signed
        self._clock = clock

    def __call__(
        self, name: VersionName, server_name: ServerName | None, progress: Progress
    ) -> VersionVerification:
        """Give what was found; a damaged replica gets no more devices until it is sound again.

        Raises ``SignatureWrongError``, ``VersionNotHeldError``.
        """
        with self._transactions.reading() as records:
            farm = records.farm.get()
            version = published_version(records, name)
            server = server_to_check(records, version, server_name)
        if not self._is_signed(farm.public_key, version.root.signed_message(), version.signature):
            raise SignatureWrongError(str(name))
        store = self._stores.open(server.store.path, farm.id)
        if not store.holds(version.root):
            raise VersionNotHeldError(str(name), server.name)
        found = VersionVerification(version, server, store.verify(progress))
        with self._transactions.writing() as records:
            note_verification(records, server, found.store, self._clock)
        return found


def note_verification(
    records: Records, server: Server, found: StoreVerification, clock: Clock
) -> None:
    """Bring the replicas of a folder's servers in step with what reading it has found."""
    for replica in replicas_in_folder(records, server):
        is_damaged = replica.root in found.affected_roots
        if is_damaged and replica.state in (ReplicaState.COMPLETE, ReplicaState.DAMAGED):
            # A finding of its own each time: a healing that began before it does not settle it.
            records.farm.raise_generation()
            records.replicas.put(replica.doubted(records.farm.get().generation, clock.now()))
        elif not is_damaged and replica.state is ReplicaState.DAMAGED:
            records.farm.raise_generation()
            records.replicas.put(replica.found_sound(clock.now()))


def server_to_check(records: Records, version: Version, name: ServerName | None) -> Server:
    """Give the named server, or the first that is said to hold the version, damaged or not."""
    if name is not None:
        return records.servers.get(name)
    held = (ReplicaState.COMPLETE, ReplicaState.DAMAGED)
    holders = {r.server_id for r in records.replicas.of_root(version.root) if r.state in held}
    for server in sorted(records.servers.all(), key=lambda one: one.relay):
        if server.id in holders:
            return server
    raise VersionNotHeldError(str(version.name), None)
