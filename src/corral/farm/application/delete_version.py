"""Delete a version."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from corral.farm.application.complete_deletions import complete_deletions
from corral.farm.application.computer_plans import Orderer
from corral.farm.application.move_version import Mover, starting
from corral.farm.domain.image.errors import (
    StoreNewerError,
    StoreNotAStoreError,
    StoreOtherFarmError,
    StoreUnreachableError,
    VersionStreamedError,
    VersionUnknownError,
)
from corral.farm.domain.image.overlay import OverlayKind
from corral.farm.domain.image.overlay_errors import VersionWrittenOverError
from corral.farm.domain.image.replica import ReplicaState
from corral.farm.domain.image.standing import VersionEvent
from corral.farm.domain.image.version import VersionState
from corral.farm.domain.image.version_errors import VersionOrderedError, VersionStartedError

if TYPE_CHECKING:
    from datetime import datetime

    from corral.farm.application.ports.chunk_stores import ChunkStores
    from corral.farm.application.ports.image_locks import ImageLocks
    from corral.farm.application.ports.records import Records, Transactions
    from corral.farm.application.ports.sources import Clock
    from corral.farm.domain.computer.check_in import CheckIn
    from corral.farm.domain.estate.farm import Farm
    from corral.farm.domain.estate.server import Server, ServerState
    from corral.farm.domain.estate.store import FolderId
    from corral.farm.domain.image.replica import Replica
    from corral.farm.domain.image.version import Version, VersionName


@dataclass(frozen=True)
class AwaitedServer:
    """A server that has yet to forget the version, and says so in its report."""

    server: Server
    state: ServerState


@dataclass(frozen=True)
class Deletion:
    """What a delete came to."""

    version: Version
    """Deleted; or still deleting, while servers are awaited."""
    removed_from: tuple[Server, ...] = ()
    """Servers out of whose stores it was taken at once."""
    waiting_for: tuple[AwaitedServer, ...] = ()


class DeleteVersion:
    """Takes a version from everybody, then out of the stores.

    In two steps: a delete that is killed between them has only to be asked for again. A store that
    is not on this machine is its server's to clear: the server's configuration tells it to, and its
    report ends the deletion, however long the server was away. Chunks stay where they are: other
    versions may share them, and the collector of garbage decides that.
    """

    def __init__(
        self,
        transactions: Transactions,
        stores: ChunkStores,
        locks: ImageLocks,
        clock: Clock,
        by: str = "",
    ) -> None:
        self._transactions = transactions
        self._stores = stores
        self._locks = locks
        self._clock = clock
        self._by = by

    def __call__(
        self, name: VersionName, *, trust_silence: bool = False, of_library: bool = False
    ) -> Deletion:
        """Delete the version.

        With ``trust_silence``, sessions of servers that no longer report count as ended. What is
        ``of_library`` is deleted by those only who take it out of there.
        Raises ``VersionStreamedError``, ``VersionStartedError``, ``VersionLastError``,
        ``VersionOrderedError``, ``VersionPinnedError``, ``VersionWrittenOverError``,
        ``ImageBusyError``.
        """
        with self._locks.hold(name.image):
            with self._transactions.writing() as records:
                farm = records.farm.get()
                if not of_library:
                    records.images.get(name.image)
                seen = records.versions.get(name)
                mover = Mover(records, self._clock.now(), self._by)
                if seen.state is VersionState.DELETED:
                    raise VersionUnknownError(str(name))
                if seen.is_published and not of_library:
                    seen = mover.look(name)
                    self._refuse_if_streamed(records, seen, trust_silence=trust_silence)
                    mover.refuse_if_pinned(seen)
                    mover.refuse_if_last(seen, None)
                    _refuse_if_started(records, seen)
                    _refuse_if_ordered(records, seen, self._clock.now())
                    _give_up_caches(records, seen)
                after = seen.after(VersionEvent.DELETE)
                deleting = mover.move(seen, after, VersionEvent.DELETE)
                records.farm.raise_generation()
            with self._transactions.writing() as records:
                removed_from, waiting_for = self._clear_stores(records, farm, deleting)
                complete_deletions(records, deleting.root)
                records.farm.raise_generation()
                return Deletion(records.versions.get(name), removed_from, waiting_for)

    def _refuse_if_streamed(
        self, records: Records, version: Version, *, trust_silence: bool
    ) -> None:
        now = self._clock.now()
        heard = {s.id for s in records.servers.all() if s.may_be_relied_on(now)}
        names = {device.id: str(device.name) for device in records.devices.all()}
        streaming = [
            names.get(session.device_id, session.address)
            if session.device_id is not None
            else session.address
            for session in records.sessions.all()
            if session.export.partition("@")[0] == str(version.name)
            and not (trust_silence and session.server_id not in heard)
        ]
        if streaming:
            raise VersionStreamedError(str(version.name), sorted(set(streaming)))

    def _clear_stores(
        self, records: Records, farm: Farm, version: Version
    ) -> tuple[tuple[Server, ...], tuple[AwaitedServer, ...]]:
        """Take the root out of every store, unless another version still has it.

        Done under the writer's lock: a publish of the same root either comes before (and is seen
        here) or after (and sees that the store does not hold the root, or has yet to lose it).
        """
        removed_from: list[Server] = []
        waiting_for: list[AwaitedServer] = []
        cleared: set[FolderId] = set()
        if any(other.is_published for other in records.versions.with_root(version.root)):
            return (), ()
        for replica in records.replicas.of_root(version.root):
            server = records.servers.with_id(replica.server_id)
            # What was taken out of a folder is gone for all who share it.
            is_gone = server.store.id in cleared and replica.is_offered and not replica.is_removing
            if is_gone or self._forgot_at_once(replica, server, farm):
                cleared.add(server.store.id)
                records.replicas.remove(server.id, replica.root)
                removed_from.append(server)
            else:
                records.replicas.put(replace(replica, state=ReplicaState.REMOVING, problem=""))
                waiting_for.append(AwaitedServer(server, server.state(self._clock.now())))
        return tuple(removed_from), tuple(waiting_for)

    def _forgot_at_once(self, replica: Replica, server: Server, farm: Farm) -> bool:
        """Clear the store, if it is on this machine; whether nothing is left for the server to do.

        Once told to, a server may remove the root at any moment until it reports that it has. So
        the report must be awaited even if the store can be opened now: what is imported into it in
        between would be lost. A server that is fetching could finish after we have looked.
        """
        if replica.is_removing:
            return False
        if replica.state is ReplicaState.WANTED and server.last_report is None:
            return True
        try:
            store = self._stores.open(server.store.path, farm.id)
            # The same path on another machine is another folder: only what is seen to go is gone.
            is_here = store.holds(replica.root)
            store.remove_version(replica.root)
        except (
            StoreNewerError,
            StoreNotAStoreError,
            StoreOtherFarmError,
            StoreUnreachableError,
        ):
            return False
        return is_here and replica.is_offered


def _refuse_if_started(records: Records, version: Version) -> None:
    image = records.images.with_id(version.image_id)
    devices = starting(records, image, version)
    if devices:
        raise VersionStartedError(str(version.name), devices)


def _refuse_if_ordered(records: Records, version: Version, now: datetime) -> None:
    """Refuse while computers are to have it, or run it while it may still be arriving there."""
    others = records.versions.with_root(version.root)
    if any(one.is_published and one.name != version.name for one in others):
        return
    orderer = Orderer(records, now)
    said = {one.computer_id: one for one in records.check_ins.all()}
    having = [
        computer.name
        for computer in records.computers.all()
        if computer.is_heard
        and (
            version.root in orderer(computer, said.get(computer.id)).roots
            or _is_arriving(version, said.get(computer.id))
        )
    ]
    if having:
        raise VersionOrderedError(str(version.name), sorted(having))


def _is_arriving(version: Version, said: CheckIn | None) -> bool:
    """Whether it runs there and is not proven, which it is only once all of it is there."""
    return said is not None and any(
        one.running == version.root != one.proven for one in said.machines
    )


def _give_up_caches(records: Records, version: Version) -> None:
    """Forget what the next start would throw away; anything else written over it must stay."""
    if any(
        v.is_published and v.name != version.name for v in records.versions.with_root(version.root)
    ):
        return
    over = records.overlays.of_base(version.root)
    kept = [overlay for overlay in over if overlay.kind is not OverlayKind.SERVER]
    if kept:
        devices = {str(records.devices.with_id(overlay.device_id).name) for overlay in kept}
        raise VersionWrittenOverError(str(version.name), sorted(devices))
    for overlay in over:
        records.overlays.remove(overlay.id)
