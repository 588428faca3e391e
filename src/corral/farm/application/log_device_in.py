"""Log a device in: say what it streams, from which servers, and with which ticket."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from corral.farm.application.choose_servers import (
    Caller,
    address_of,
    choose_servers,
    place_after_login,
    supposed_caller,
)
from corral.farm.application.note_releases import note_releases
from corral.farm.application.overlays_in_force import held_version
from corral.farm.application.start_overlay import (
    Told,
    export_of,
    prepare_start,
    running_overlay,
    setting_of,
    start_of,
    usable,
    used_cache,
)
from corral.farm.domain.access.ticket import TICKET_LIFE, Purpose, Ticket
from corral.farm.domain.delivery.device import Login
from corral.farm.domain.delivery.errors import (
    DeviceDisabledError,
    RunningVersionUnknownError,
)
from corral.farm.domain.errors import DomainError
from corral.farm.domain.image.version import Version, running_version
from corral.farm.domain.image.write_cache import PLAIN_CACHE, UsedCache, WriteCache

if TYPE_CHECKING:
    from datetime import datetime

    from corral.farm.application.ports.certificates import CertificateAuthority
    from corral.farm.application.ports.farm_key import FarmKey
    from corral.farm.application.ports.records import Records, Transactions
    from corral.farm.application.ports.sources import Clock, IdSource
    from corral.farm.domain.delivery.device import Device, DeviceId
    from corral.farm.domain.estate.server import Server, ServerId
    from corral.farm.domain.image.overlay import Overlay
    from corral.farm.domain.image.root import RootHash
    from corral.farm.domain.image.write_cache import CacheSetting


@dataclass(frozen=True)
class LoginAnswer:
    """Everything that a device needs until its ticket ends, the farm being up or down."""

    device: Device
    version: Version
    ticket: str
    expires_at: datetime
    servers: tuple[Server, ...]
    """Ranked, the first one to be tried first; at least one, and no other for an overlay."""
    write_cache: WriteCache = WriteCache.DEVICE_RAM
    """Where the device is to keep what it writes."""
    setting: CacheSetting = PLAIN_CACHE
    """What that was made of, with its limit and what is done without a disk."""
    overlay: Overlay | None = None
    """What it writes to on a server; the ticket is then one for writing."""
    authority: str | None = None
    """The farm's root certificate, for a device that is to speak TLS to a server."""

    @property
    def requires_tls(self) -> bool:
        """Whether any of the servers is to be spoken to under TLS only."""
        return any(server.requires_tls for server in self.servers)

    @property
    def export(self) -> str:
        """What the device asks a server for."""
        if self.overlay is None:
            return str(self.version.name)
        return export_of(self.overlay, self.version.name.image, self.device.name)


class LogDeviceIn:
    """Gives a device the version it streams, and the least loaded servers that hold it.

    A device that starts gets what its kind starts of its image now. One that renews its login
    says what it runs and gets that: a disk never changes under a running system, and without a new
    ticket it could not connect any more once its first one has expired.

    The caller is recognised before this (``RecogniseDevice``), or owns the farm's folder.
    """

    def __init__(
        self,
        transactions: Transactions,
        key: FarmKey,
        authority: CertificateAuthority,
        ids: IdSource,
        clock: Clock,
    ) -> None:
        self._transactions = transactions
        self._key = key
        self._authority = authority
        self._ids = ids
        self._clock = clock

    def __call__(
        self,
        device_id: DeviceId,
        running: RootHash | None = None,
        told: Told | None = None,
        *,
        address: str | None = None,
        is_failing_over: bool = False,
    ) -> LoginAnswer:
        """Give the answer, for the version with the root ``running`` if the device runs one.

        ``address`` is the IP address that it logs in from. A device that lost its server before it
        could say what it runs ``is_failing_over``: like one that runs it is held up by no limit.
        ``told`` is what it says of its write cache.

        Raises ``DeviceDisabledError``, ``DeviceUnassignedError``, ``ImageWithoutVersionError``,
        ``VersionWaitsError``, ``NoServerForVersionError``, ``NoRoomForDeviceError``,
        ``RunningVersionUnknownError``, ``CacheDiskMissingError``; for what it writes to on a server
        ``OverlayNotReadyError``, ``OverlaySealingError``, ``OverlayServerAwayError``,
        ``OverlayFailedError``; ``FarmObservesError`` if nobody knows yet whether it has its own.
        """
        told = told or Told()
        now = self._clock.now()
        is_running = is_failing_over or running is not None
        with self._transactions.writing() as records:
            device = records.devices.with_id(device_id)
            if running is None and device.assignment is not None:
                note_releases(records, records.versions.of_image(device.assignment.image_id), now)
            caller = Caller(
                address,
                is_running=is_running,
                place=records.places.find(device.id),
                wanted=_wanted(records, device),
            )
            if running is None and not device.disabled:
                prepare_start(
                    *(records, device, told, now, self._ids),
                    lambda version: choose_servers(records, device, version, caller, now)[0],
                )
            try:
                answer = answer_to_login(records, device, self._key, now, running, caller, told)
            except DomainError as error:
                # What was prepared is kept, so that the device finds it ready when it comes again.
                refusal = error
            else:
                _note(records, answer, told, now, is_start=running is None)
                records.places.put(place_after_login(answer, caller, now))
                login = Login(
                    *(answer.servers[0].id, now, answer.version.image_id),
                    address_of(caller, device),
                )
                records.devices.set_login(device.id, login)
                root = self._authority.root(records.farm.get()) if answer.requires_tls else None
                return replace(answer, device=device.logged_in(login), authority=root)
        raise refusal


def answer_to_login(  # noqa: PLR0913, PLR0917 - what is asked, and whom
    records: Records,
    device: Device,
    key: FarmKey,
    now: datetime,
    running: RootHash | None = None,
    caller: Caller | None = None,
    told: Told | None = None,
) -> LoginAnswer:
    """Give what the device would be answered at ``now``, changing nothing.

    Without a ``caller`` nobody logs in, and it is only asked what would be answered.

    Raises what :class:`LogDeviceIn` raises.
    """
    if device.disabled:
        raise DeviceDisabledError(device.name)
    caller = caller or supposed_caller(records, device)
    told = told or Told()
    overlay: Overlay | None
    if running is None:
        start = start_of(records, device, told, now)
        version, overlay = start.version, start.overlay
        cache, setting = start.cache, start.setting
        servers = (
            choose_servers(records, device, version, caller, now)
            if start.kind is None
            else (usable(records, device, start, now),)
        )
    else:
        version = _version_that_runs(records, device, running)
        setting = setting_of(records, device, records.images.with_id(version.image_id))
        cache = told.kind or used_cache(device, setting, told)
        overlay = running_overlay(records, device, running)
        servers = (
            choose_servers(records, device, version, caller, now)
            if overlay is None
            else (records.servers.with_id(overlay.server_id),)
        )
    expires_at = now + TICKET_LIFE
    purpose = Purpose.STREAM if overlay is None else Purpose.WRITE
    ticket = Ticket(purpose, device.id, expires_at, version.root)
    return LoginAnswer(
        write_cache=cache,
        setting=setting,
        overlay=overlay,
        device=device,
        version=version,
        ticket=ticket.sealed(key.sign(ticket.message())),
        expires_at=expires_at,
        servers=servers,
    )


def _version_that_runs(records: Records, device: Device, root: RootHash) -> Version:
    given = (v for v in records.versions.with_root(root) if device.may_run(v.image_id))
    version = running_version(given) or held_version(records, device, root)
    if version is None:
        raise RunningVersionUnknownError(device.name, root)
    return version


def _note(
    records: Records, answer: LoginAnswer, told: Told, now: datetime, *, is_start: bool
) -> None:
    """Remember what the device may write to from now on, and what it says that it uses."""
    overlay = answer.overlay
    if overlay is not None and overlay.opened_at is None:
        records.overlays.change(overlay, overlay.opened(now).changed())
    used = told.used(now)
    if used is None and told.has_disk is False:
        used = UsedCache(answer.write_cache, now, problem="its cache disk is missing")
    if used is not None or is_start:
        known = records.device_caches.with_id(answer.device.id)
        if known.used != used:
            records.device_caches.set_used(answer.device.id, used)


def _wanted(records: Records, device: Device) -> ServerId | None:
    move = records.moves.find(device.id)
    return move.target if move is not None and move.is_asked else None
