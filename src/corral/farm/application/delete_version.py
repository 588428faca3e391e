"""Delete a version."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corral.farm.domain.image.errors import (
    VersionLastError,
    VersionStreamedError,
    VersionUnknownError,
)
from corral.farm.domain.image.version import Version, VersionEvent, VersionState

if TYPE_CHECKING:
    from corral.farm.application.ports.chunk_stores import ChunkStores
    from corral.farm.application.ports.image_locks import ImageLocks
    from corral.farm.application.ports.records import Records, Transactions
    from corral.farm.application.ports.sources import Clock
    from corral.farm.domain.estate.farm import Farm
    from corral.farm.domain.image.version import VersionName


class DeleteVersion:
    """Takes a version from everybody, then out of the stores.

    In two steps: a delete that is killed between them has only to be asked for again. Chunks stay
    where they are: other versions may share them, and the collector of garbage decides that.
    """

    def __init__(
        self,
        transactions: Transactions,
        stores: ChunkStores,
        locks: ImageLocks,
        clock: Clock,
    ) -> None:
        self._transactions = transactions
        self._stores = stores
        self._locks = locks
        self._clock = clock

    def __call__(self, name: VersionName, *, trust_silence: bool = False) -> Version:
        """Give the deleted version.

        With ``trust_silence``, sessions of servers that no longer report count as ended.
        Raises ``VersionStreamedError``, ``VersionLastError``, ``ImageBusyError``.
        """
        with self._locks.hold(name.image):
            with self._transactions.writing() as records:
                farm = records.farm.get()
                records.images.get(name.image)
                seen = records.versions.get(name)
                if seen.state is VersionState.DELETED:
                    raise VersionUnknownError(str(name))
                if seen.is_published:
                    self._refuse_if_streamed(records, seen, trust_silence=trust_silence)
                    _refuse_if_last(records, seen)
                deleting = seen.after(VersionEvent.DELETE)
                records.versions.move(seen, deleting)
                records.farm.raise_generation()
            with self._transactions.writing() as records:
                self._clear_stores(records, farm, deleting)
                deleted = deleting.after(VersionEvent.STORES_CLEARED)
                records.versions.move(deleting, deleted)
        return deleted

    def _refuse_if_streamed(
        self, records: Records, version: Version, *, trust_silence: bool
    ) -> None:
        now = self._clock.now()
        states = {server.id: server.state(now) for server in records.servers.all()}
        names = {device.id: str(device.name) for device in records.devices.all()}
        streaming = [
            names.get(session.device_id, session.address)
            if session.device_id is not None
            else session.address
            for session in records.sessions.all()
            if session.export == str(version.name)
            and not (trust_silence and states.get(session.server_id) != "online")
        ]
        if streaming:
            raise VersionStreamedError(str(version.name), sorted(set(streaming)))

    def _clear_stores(self, records: Records, farm: Farm, version: Version) -> None:
        """Take the root out of every store, unless another version still has it.

        Done under the writer's lock: a publish of the same root either comes before (and is seen
        here) or after (and sees that the store does not hold the root).
        """
        still_used = any(
            other.is_published and other.name != version.name
            for other in records.versions.with_root(version.root)
        )
        if still_used:
            return
        for replica in records.replicas.of_root(version.root):
            server = records.servers.with_id(replica.server_id)
            self._stores.open(server.store.path, farm.id).remove_version(version.root)
        records.replicas.remove_root(version.root)


def _refuse_if_last(records: Records, version: Version) -> None:
    others = (
        other
        for other in records.versions.of_image(version.image_id)
        if other.is_published and other.name != version.name
    )
    if next(others, None) is None:
        devices = [str(device.name) for device in records.devices.with_image(version.image_id)]
        if devices:
            raise VersionLastError(str(version.name), devices)
