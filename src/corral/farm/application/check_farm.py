"""Check the farm: look at everything, and say what is not as it should be."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from corral.farm.application.choose_servers import supposed_caller
from corral.farm.application.log_device_in import answer_to_login
from corral.farm.application.look_at_computers import look_at_computers
from corral.farm.application.look_at_placement import look_at_placement
from corral.farm.application.note_releases import wait_of
from corral.farm.application.one_moment import remembering
from corral.farm.application.show_status import observing_of
from corral.farm.domain.check.check import NOT_APPLICABLE, check
from corral.farm.domain.check.finding import Severity
from corral.farm.domain.check.inventory import (
    Inventory,
    SeenBackups,
    SeenDevice,
    SeenListener,
    SeenOverlay,
    SeenReplica,
    SeenServer,
    SeenTasks,
    SeenVersion,
)
from corral.farm.domain.delivery.errors import NoRoomForDeviceError
from corral.farm.domain.errors import DomainError, EnvironmentFaultError, TryAgainError
from corral.farm.domain.estate.scrub import overdue
from corral.farm.domain.estate.server import ServerState
from corral.farm.domain.image.overlay import OverlayCondition
from corral.farm.domain.image.overlay_errors import OverlayNotReadyError
from corral.farm.domain.image.write_cache import PLAIN_CACHE
from corral.farm.domain.task.state import TaskState

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from corral.farm.application.log_device_in import LoginAnswer
    from corral.farm.application.ports.certificates import CertificateFiles
    from corral.farm.application.ports.farm_key import FarmKey
    from corral.farm.application.ports.records import Records, Transactions
    from corral.farm.application.ports.sources import Clock
    from corral.farm.domain.check.finding import Finding, NotApplicable
    from corral.farm.domain.delivery.device import Device
    from corral.farm.domain.estate.farm import Farm
    from corral.farm.domain.estate.server import Server
    from corral.farm.domain.image.replica import Replica
    from corral.farm.domain.image.root import RootHash
    from corral.farm.domain.image.version import Version
    from corral.farm.domain.image.write_cache import CacheSetting

_TROUBLE: Final = (OverlayCondition.FULL, OverlayCondition.FAILED)


def _waits(records: Records) -> str:
    observing = observing_of(records)
    return "" if observing is None else str(observing)


def _listeners(server: Server) -> Iterator[SeenListener]:
    yield SeenListener(server.name, "devices", server.listen, server.advertised)
    chunks = (server.chunks_listen,), (server.chunks_advertised,)
    yield SeenListener(server.name, "chunks", *chunks)
    if server.management is not None:
        logins = (server.management,)
        yield SeenListener(server.name, "logins", logins, logins)


@dataclass(frozen=True)
class FarmCheck:
    """What was found, and what was seen of each version."""

    farm: Farm
    at: datetime
    findings: tuple[Finding, ...]
    versions: tuple[SeenVersion, ...]
    login_addresses: tuple[str, ...] = ()
    """Where a device could log in now, if its own list names it."""
    not_applicable: tuple[NotApplicable, ...] = NOT_APPLICABLE

    @property
    def is_passed(self) -> bool:
        """Whether there is nothing above a notice."""
        return all(one.kind.severity is Severity.NOTICE for one in self.findings)


class CheckFarm:
    """Gathers an inventory in one transaction and has it checked; changes nothing."""

    def __init__(
        self,
        transactions: Transactions,
        key: FarmKey,
        certificates: CertificateFiles,
        clock: Clock,
    ) -> None:
        self._transactions = transactions
        self._certificates = certificates
        self._key = key
        self._clock = clock

    def __call__(self) -> FarmCheck:
        """Look, and judge."""
        now = self._clock.now()
        is_writable = self._is_writable()
        api = self._certificates.of_api()
        with self._transactions.reading() as records:
            farm = records.farm.get()
            seen = _Look(records, self._key, now).inventory(
                is_writable=is_writable,
                api_certificate_left=None if api is None else api.ends_at - now,
            )
        return FarmCheck(farm, now, check(seen), seen.versions, seen.login_addresses)

    def _is_writable(self) -> bool:
        """Begin a change, which is what a database that can only be read refuses."""
        try:
            with self._transactions.writing() as records:
                records.farm.get()
        except (EnvironmentFaultError, TryAgainError):
            return False
        return True


class _Look:
    """One look at the records of one moment."""

    def __init__(self, records: Records, key: FarmKey, now: datetime) -> None:
        self._records = records
        self._moment = remembering(records)
        self._key = key
        self._now = now
        self._devices = tuple(records.devices.all())
        self._servers = {server.id: server for server in records.servers.all()}
        self._starting: Counter[RootHash] = Counter()

    def inventory(self, *, is_writable: bool, api_certificate_left: timedelta | None) -> Inventory:
        devices = tuple(
            self._device(device)
            for device in self._devices
            if device.assignment is not None and not device.disabled
        )
        return Inventory(
            placement=look_at_placement(self._records, self._now),
            servers=self._seen_servers(),
            versions=self._versions(),
            devices=devices,
            troubled_overlays=self._troubled_overlays(),
            pins=tuple(
                (image.name, int(image.pinned))
                for image in self._records.images.all()
                if image.pinned is not None
            ),
            only_servers=tuple(
                (image.name, self._servers[image.only_server].name)
                for image in self._records.images.all()
                if image.only_server is not None
            ),
            is_database_writable=is_writable,
            api_certificate_left=api_certificate_left,
            backups=self._backups(),
            login_addresses=self._login_addresses(),
            listeners=tuple(one for server in self._servers.values() for one in _listeners(server)),
            balance=self._records.balance.get(),
            tasks=self._tasks(),
            observing=_waits(self._records),
            computers=look_at_computers(self._records, self._now),
        )

    def _login_addresses(self) -> tuple[str, ...]:
        answering = (
            server.management
            for server in self._servers.values()
            if server.management is not None and self._is_online(server)
        )
        return *self._records.farm.get().api_urls, *map(str, answering)

    def _tasks(self) -> SeenTasks:
        workers = self._records.workers.all()
        return SeenTasks(
            waiting=sum(task.state is TaskState.QUEUED for task in self._records.tasks.active()),
            schedules=len(self._records.schedules.all()),
            is_worker_alive=any(one.is_alive(self._now) for one in workers),
            refused_accounts=tuple(
                (one.name, one.account_problem)
                for one in workers
                if one.account_problem and one.is_alive(self._now)
            ),
        )

    def _backups(self) -> SeenBackups:
        known = self._records.backups.all()
        newest = max((one.taken_at for one in known), default=None)
        return SeenBackups(
            newest_age=None if newest is None else self._now - newest,
            is_any_verified=any(one.verified_at is not None for one in known),
            too_old=timedelta(days=self._records.backup_rules.get().too_old_days),
        )

    def _device(self, device: Device) -> SeenDevice:
        cache = self._moment.device_caches.with_id(device.id)
        warning = cache.warning(self._cache_of_image(device))
        try:
            answer = self._answer(device)
        except OverlayNotReadyError:
            # Prepared by the login itself, which this is not.
            return SeenDevice(device.name, is_bound=True, cache_warning=warning)
        except DomainError as error:
            return SeenDevice(device.name, refusal=error.message, cache_warning=warning)
        self._starting[answer.version.root] += 1
        return SeenDevice(
            device.name,
            servers=tuple(server.name for server in answer.servers),
            is_bound=answer.overlay is not None,
            cache_warning=warning,
        )

    def _answer(self, device: Device) -> LoginAnswer:
        try:
            return answer_to_login(self._moment, device, self._key, self._now)
        except NoRoomForDeviceError as error:
            if not error.will_pass:
                raise
        # It waits its turn while others start, which is as it should be.
        later = supposed_caller(self._moment, device, is_for_later=True)
        return answer_to_login(self._moment, device, self._key, self._now, caller=later)

    def _cache_of_image(self, device: Device) -> CacheSetting:
        if device.assignment is None:
            return PLAIN_CACHE
        return self._moment.images.with_id(device.assignment.image_id).write_cache

    def _seen_servers(self) -> tuple[SeenServer, ...]:
        known = {device.id for device in self._devices}
        unknown = Counter(
            session.server_id
            for session in self._records.sessions.all()
            if session.device_id is not None and session.device_id not in known
        )
        return tuple(self._server(server, unknown[server.id]) for server in self._servers.values())

    def _server(self, server: Server, unknown_sessions: int) -> SeenServer:
        report = server.last_report
        scrub = None if report is None else report.scrub
        return SeenServer(
            name=server.name,
            is_online=self._is_online(server),
            is_draining=server.draining,
            is_in_maintenance=server.maintenance,
            free_bytes=None if report is None else report.free_bytes,
            clock_offset=None if report is None else report.clock_offset,
            certificate_left=(
                None
                if report is None or report.certificate_ends_at is None
                else report.certificate_ends_at - self._now
            ),
            is_plain=self._is_online(server) and server.can_be_listened_to,
            unknown_sessions=unknown_sessions,
            scrub_overdue=overdue(
                self._records.stores.with_id(server.store.belongs_to).scrub,
                scrub,
                server.added_at,
                self._now,
            ),
            scrub_problem="" if scrub is None else scrub.problem,
            relay_refusal=server.refusal,
        )

    def _versions(self) -> tuple[SeenVersion, ...]:
        running = Counter(place.root for place in self._records.places.all())
        published = (one for one in self._records.versions.all() if one.is_published)
        return tuple(self._version(version, running) for version in published)

    def _version(self, version: Version, running: Counter[RootHash]) -> SeenVersion:
        return SeenVersion(
            name=version.name,
            root=version.root,
            replicas=tuple(
                self._replica(replica, version)
                for replica in self._records.replicas.of_root(version.root)
            ),
            running=running[version.root],
            starting=self._starting[version.root],
            awaited=tuple(map(str, wait_of(self._records, version, self._now).silent)),
        )

    def _replica(self, replica: Replica, version: Version) -> SeenReplica:
        server = self._servers[replica.server_id]
        report = server.last_report
        refused = report.refused if report is not None and self._is_online(server) else ()
        return SeenReplica(
            server=server.name,
            takes_devices=server.takes_devices(self._now),
            state=replica.state,
            problem=replica.problem,
            refusal=next(
                (
                    f"{one.detail} ({one.code})"
                    for one in refused
                    if one.export == str(version.name)
                ),
                "",
            ),
        )

    def _troubled_overlays(self) -> tuple[SeenOverlay, ...]:
        names = {device.id: str(device.name) for device in self._devices}
        return tuple(
            SeenOverlay(
                device=names.get(overlay.device_id, str(overlay.device_id)),
                server=str(self._servers[overlay.server_id].name),
                problem=overlay.seen.problem or f"it is {overlay.seen.condition}",
            )
            for overlay in self._records.overlays.all()
            if overlay.seen is not None and overlay.seen.condition in _TROUBLE
        )

    def _is_online(self, server: Server) -> bool:
        return server.state(self._now) is ServerState.ONLINE
