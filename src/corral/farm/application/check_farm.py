"""Check the farm: look at everything, and say what is not as it should be."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from corral.farm.application.log_device_in import answer_to_login
from corral.farm.application.look_at_placement import look_at_placement
from corral.farm.application.one_moment import remembering
from corral.farm.domain.check.check import NOT_APPLICABLE, check
from corral.farm.domain.check.finding import Severity
from corral.farm.domain.check.inventory import (
    Inventory,
    SeenDevice,
    SeenOverlay,
    SeenReplica,
    SeenServer,
    SeenVersion,
)
from corral.farm.domain.errors import DomainError, EnvironmentFaultError, TryAgainError
from corral.farm.domain.estate.server import ServerState
from corral.farm.domain.image.overlay import OverlayCondition
from corral.farm.domain.image.overlay_errors import OverlayNotReadyError
from corral.farm.domain.image.write_cache import PLAIN_CACHE

if TYPE_CHECKING:
    from datetime import datetime

    from corral.farm.application.ports.farm_key import FarmKey
    from corral.farm.application.ports.records import Records, Transactions
    from corral.farm.application.ports.sources import Clock
    from corral.farm.domain.check.finding import Finding, NotApplicable
    from corral.farm.domain.delivery.device import Device
    from corral.farm.domain.estate.farm import Farm
    from corral.farm.domain.estate.server import Server
    from corral.farm.domain.image.root import RootHash
    from corral.farm.domain.image.version import Version
    from corral.farm.domain.image.write_cache import CacheSetting

_TROUBLE: Final = (OverlayCondition.FULL, OverlayCondition.FAILED)


@dataclass(frozen=True)
class FarmCheck:
    """What was found, and what was seen of each version."""

    farm: Farm
    at: datetime
    findings: tuple[Finding, ...]
    versions: tuple[SeenVersion, ...]
    not_applicable: tuple[NotApplicable, ...] = NOT_APPLICABLE

    @property
    def is_passed(self) -> bool:
        """Whether there is nothing above a notice."""
        return all(one.kind.severity is Severity.NOTICE for one in self.findings)


class CheckFarm:
    """Gathers an inventory in one transaction and has it checked; changes nothing."""

    def __init__(self, transactions: Transactions, key: FarmKey, clock: Clock) -> None:
        self._transactions = transactions
        self._key = key
        self._clock = clock

    def __call__(self) -> FarmCheck:
        """Look, and judge."""
        now = self._clock.now()
        is_writable = self._is_writable()
        with self._transactions.reading() as records:
            farm = records.farm.get()
            seen = _Look(records, self._key, now).inventory(is_writable=is_writable)
        return FarmCheck(farm, now, check(seen), seen.versions)

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

    def inventory(self, *, is_writable: bool) -> Inventory:
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
            is_database_writable=is_writable,
        )

    def _device(self, device: Device) -> SeenDevice:
        cache = self._moment.device_caches.with_id(device.id)
        warning = cache.warning(self._cache_of_image(device))
        try:
            answer = answer_to_login(self._moment, device, self._key, self._now)
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
        return SeenServer(
            name=server.name,
            is_online=self._is_online(server),
            is_draining=server.draining,
            is_in_maintenance=server.maintenance,
            free_bytes=None if report is None else report.free_bytes,
            clock_offset=None if report is None else report.clock_offset,
            unknown_sessions=unknown_sessions,
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
                SeenReplica(
                    server=self._servers[replica.server_id].name,
                    is_online=self._is_online(self._servers[replica.server_id]),
                    state=replica.state,
                    problem=replica.problem,
                )
                for replica in self._records.replicas.of_root(version.root)
            ),
            running=running[version.root],
            starting=self._starting[version.root],
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
