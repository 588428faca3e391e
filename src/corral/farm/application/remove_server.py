"""Remove a server."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from corral.farm.application.choose_servers import supposed_caller
from corral.farm.application.complete_deletions import complete_deletions
from corral.farm.application.log_device_in import answer_to_login
from corral.farm.application.look_at_placement import look_at_placement
from corral.farm.application.move_devices import advance_moves
from corral.farm.application.note_releases import note_releases
from corral.farm.application.one_moment import remembering
from corral.farm.application.spread_versions import spread_versions
from corral.farm.domain.delivery.errors import (
    ServerNeededError,
    ServerNotLostError,
    ServerSilentError,
)
from corral.farm.domain.delivery.move import Outcome
from corral.farm.domain.delivery.removal import HeldCopy, KeptDisk, LeavingServer, needs
from corral.farm.domain.delivery.safety import unsafe_without
from corral.farm.domain.errors import DomainError
from corral.farm.domain.estate.errors import ServerChangedError
from corral.farm.domain.image.overlay import OverlayKind
from corral.farm.domain.image.version import VersionName, VersionState
from corral.farm.domain.task.state import TaskState
from corral.farm.domain.task.task import LogLine

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from corral.farm.application.ports.farm_key import FarmKey
    from corral.farm.application.ports.records import Records, Transactions
    from corral.farm.application.ports.sources import Clock
    from corral.farm.domain.delivery.device import DeviceId, DeviceName
    from corral.farm.domain.estate.server import Server, ServerName
    from corral.farm.domain.image.image import Image
    from corral.farm.domain.image.replica import Replica
    from corral.farm.domain.image.version import Version
    from corral.farm.domain.task.number import TaskNumber
    from corral.farm.domain.task.schedule import ScheduleName
    from corral.farm.domain.task.task import Task


@dataclass(frozen=True)
class ServerRemoval:
    """What goes with a server, or went."""

    server: Server
    """As it was."""
    is_lost: bool
    is_done: bool
    copies: tuple[VersionName, ...]
    """Published versions a copy of which goes; each is on another server."""
    disks: tuple[KeptDisk, ...]
    """What devices wrote on it, which goes for ever."""
    deleted: tuple[VersionName, ...]
    """Versions whose deletion waited for this server alone."""
    tasks: tuple[TaskNumber, ...]
    """Tasks for its store that are cancelled."""
    schedules: tuple[ScheduleName, ...]
    """Schedules of such tasks, which go too."""


class RemoveServer:
    """Proves first that nobody needs the server; proof and removal are one transaction.

    Its folder is left as it is. Its stream process, should it still run, is told with its next
    report, and stops.
    """

    def __init__(self, transactions: Transactions, key: FarmKey, clock: Clock) -> None:
        self._transactions = transactions
        self._key = key
        self._clock = clock

    def plan(self, name: ServerName, *, is_lost: bool = False) -> ServerRemoval:
        """Give what would go; raises what the removal would, and changes nothing."""
        with self._transactions.reading() as records:
            return self._planned(records, records.servers.get(name), is_lost=is_lost)

    def __call__(
        self, name: ServerName, revision: int | None = None, *, is_lost: bool = False
    ) -> ServerRemoval:
        """Give what went; ``is_lost`` is somebody's word that the server's disk is gone for ever.

        Raises ``ServerUnknownError``, ``ServerChangedError`` as a change does,
        ``ServerNeededError`` with everything that speaks against it, ``ServerSilentError`` for a
        server that may still be streaming, and ``ServerNotLostError`` for a lost one that reports.
        """
        now = self._clock.now()
        with self._transactions.writing() as records:
            server = records.servers.get(name)
            if revision not in (None, server.revision):
                raise ServerChangedError(name)
            plan = self._planned(records, server, is_lost=is_lost)
            _forget_work(records, plan, now)
            _forget_devices(records, server, now)
            _forget_copies(records, server, now)
            for image in _only_here(records, server):
                records.images.change(image, replace(image, only_server=None).changed())
            records.servers.remove(server.id, now)
            spread_versions(records, now)
            records.farm.raise_generation()
        return ServerRemoval(**{**vars(plan), "is_done": True})

    def _planned(self, records: Records, server: Server, *, is_lost: bool) -> ServerRemoval:
        now = self._clock.now()
        leaving = _Look(records, server, self._key, now).leaving()
        if is_lost and leaving.is_heard_of:
            raise ServerNotLostError(server.name)
        if not is_lost and leaving.is_silent:
            raise ServerSilentError(server.name)
        if found := needs(leaving, is_lost=is_lost):
            raise ServerNeededError(server.name, found)
        return ServerRemoval(
            server=server,
            is_lost=is_lost,
            is_done=False,
            copies=tuple(sorted(copy.version for copy in leaving.copies)),
            disks=leaving.disks,
            deleted=tuple(sorted(_ending_deletions(records, server))),
            tasks=tuple(task.number for task in _tasks_of(records, server)),
            schedules=tuple(
                one.name for one in records.schedules.all() if one.request.server == server.name
            ),
        )


class _Look:
    """What is on a server, at one moment."""

    def __init__(self, records: Records, server: Server, key: FarmKey, now: datetime) -> None:
        self._records = records
        self._server = server
        self._key = key
        self._now = now
        self._names: dict[DeviceId, DeviceName] = {
            device.id: device.name for device in records.devices.all()
        }

    def leaving(self) -> LeavingServer:
        """Give everything that the proof needs."""
        records, server = self._records, self._server
        placement = look_at_placement(records, self._now)
        return LeavingServer(
            name=server.name,
            is_heard_of=server.may_be_relied_on(self._now),
            has_reported=server.last_report is not None,
            streaming=self._streaming(),
            stranded=unsafe_without(placement, server.id),
            starting=tuple(self._starting()),
            only_images=tuple(image.name for image in _only_here(records, server)),
            copies=tuple(self._copies()),
            disks=tuple(self._disks()),
            tasks=tuple(
                task.number
                for task in _tasks_of(records, server)
                if task.state is TaskState.RUNNING
            ),
        )

    def _streaming(self) -> tuple[str, ...]:
        connected = {
            session.address
            if session.device_id is None
            else str(self._names.get(session.device_id, session.address))
            for session in self._records.sessions.of_server(self._server.id)
        }
        on_their_way = {
            str(self._names[place.device_id])
            for place in self._records.places.of_server(self._server.id)
            if place.device_id in self._names
        }
        return tuple(sorted(connected | on_their_way))

    def _starting(self) -> Iterator[DeviceName]:
        """Give the devices that do not run, and whose login would name this server alone."""
        running = {place.device_id for place in self._records.places.all()}
        moment = remembering(self._records)
        for device in self._records.devices.all():
            if device.id in running or device.assignment is None:
                continue
            try:
                later = supposed_caller(moment, device, is_for_later=True)
                answer = answer_to_login(moment, device, self._key, self._now, caller=later)
            except DomainError:
                continue  # it could not start before either
            if answer.overlay is None and {one.id for one in answer.servers} == {self._server.id}:
                yield device.name

    def _copies(self) -> Iterator[HeldCopy]:
        heard_of = {
            other.id
            for other in self._records.servers.all()
            if other.id != self._server.id and other.may_be_relied_on(self._now)
        }
        for replica in self._records.replicas.of_server(self._server.id):
            if not replica.is_offered:
                continue
            is_elsewhere = any(
                other.is_complete and other.server_id in heard_of and self._is_known(other)
                for other in self._records.replicas.of_root(replica.root)
            )
            for version in self._records.versions.with_root(replica.root):
                if version.is_published:
                    yield HeldCopy(version.name, is_elsewhere)

    def _is_known(self, replica: Replica) -> bool:
        """Whether the server said so to this farm, and not only to the one that was backed up."""
        restoration = self._records.restorations.find()
        if restoration is None:
            return True
        return replica.reported_at is not None and replica.reported_at > restoration.restored_at

    def _disks(self) -> Iterator[KeptDisk]:
        running = {place.device_id for place in self._records.places.of_server(self._server.id)}
        for overlay in self._records.overlays.of_server(self._server.id):
            yield KeptDisk(
                self._names[overlay.device_id],
                VersionName(self._records.images.with_id(overlay.image_id).name, overlay.number),
                overlay.kind,
                is_given_up=overlay.kind is OverlayKind.SERVER and overlay.device_id not in running,
            )


def _only_here(records: Records, server: Server) -> list[Image]:
    return [image for image in records.images.all() if image.only_server == server.id]


def _tasks_of(records: Records, server: Server) -> list[Task]:
    return [task for task in records.tasks.active() if task.request.server == server.name]


def _ending_deletions(records: Records, server: Server) -> Iterator[VersionName]:
    for replica in records.replicas.of_server(server.id):
        others = [one for one in records.replicas.of_root(replica.root) if one != replica]
        versions = records.versions.with_root(replica.root)
        if not others and not any(version.is_published for version in versions):
            yield from (one.name for one in versions if one.state is VersionState.DELETING)


def _forget_work(records: Records, plan: ServerRemoval, now: datetime) -> None:
    """End what was to be done in its store; one that runs is told to stop."""
    for number in plan.tasks:
        task = records.tasks.get(number)
        records.tasks.change(task, task.to_cancel(now))
        reason = f"cancelled: server {plan.server.name} is removed"
        records.tasks.note(number, LogLine(now, reason))
    for name in plan.schedules:
        records.schedules.remove(name)


def _forget_devices(records: Records, server: Server, now: datetime) -> None:
    """Forget who was there, and who was to come or go."""
    records.sessions.replace(server.id, [])
    for place in records.places.of_server(server.id):
        records.places.remove(place.device_id)
    for overlay in records.overlays.of_server(server.id):
        records.overlays.remove(overlay.id)
    for move in records.moves.in_progress():
        if server.id in (move.origin, move.target):
            records.moves.put(move.ended(Outcome.GIVEN_UP, now))
    advance_moves(records, now)


def _forget_copies(records: Records, server: Server, now: datetime) -> None:
    """Forget what it held; whatever waited for that goes on."""
    changed: list[Version] = []
    for replica in records.replicas.of_server(server.id):
        records.replicas.remove(server.id, replica.root)
        complete_deletions(records, replica.root)
        changed += records.versions.with_root(replica.root)
    note_releases(records, changed, now)
