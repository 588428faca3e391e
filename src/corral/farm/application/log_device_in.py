"""Log a device in: say what it streams, from which servers, and with which ticket."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from corral.farm.application.choose_servers import Caller, choose_servers, place_after_login
from corral.farm.application.kind_of_device import kind_of
from corral.farm.application.note_releases import note_releases, versions_as_of, wait_of
from corral.farm.domain.access.ticket import TICKET_LIFE, Purpose, Ticket
from corral.farm.domain.delivery.device import Login
from corral.farm.domain.delivery.errors import (
    DeviceDisabledError,
    DeviceUnassignedError,
    ImageWithoutVersionError,
    RunningVersionUnknownError,
)
from corral.farm.domain.image.choice import version_to_start
from corral.farm.domain.image.standing import Standing
from corral.farm.domain.image.version import running_version
from corral.farm.domain.image.version_errors import VersionWaitsError

if TYPE_CHECKING:
    from datetime import datetime

    from corral.farm.application.ports.farm_key import FarmKey
    from corral.farm.application.ports.records import Records, Transactions
    from corral.farm.application.ports.sources import Clock
    from corral.farm.domain.delivery.device import Device, DeviceId
    from corral.farm.domain.estate.server import Server
    from corral.farm.domain.image.root import RootHash
    from corral.farm.domain.image.version import Version


@dataclass(frozen=True)
class LoginAnswer:
    """Everything that a device needs until its ticket ends, the farm being up or down."""

    device: Device
    version: Version
    ticket: str
    expires_at: datetime
    servers: tuple[Server, ...]
    """Ranked, the first one to be tried first; at least one."""


class LogDeviceIn:
    """Gives a device the version it streams, and the least loaded servers that hold it.

    A device that starts gets what its kind starts of its image now. One that renews its login
    says what it runs and gets that: a disk never changes under a running system, and without a new
    ticket it could not connect any more once its first one has expired.

    The caller is recognised before this (``RecogniseDevice``), or owns the farm's folder.
    """

    def __init__(self, transactions: Transactions, key: FarmKey, clock: Clock) -> None:
        self._transactions = transactions
        self._key = key
        self._clock = clock

    def __call__(
        self,
        device_id: DeviceId,
        running: RootHash | None = None,
        *,
        address: str | None = None,
        is_failing_over: bool = False,
    ) -> LoginAnswer:
        """Give the answer, for the version with the root ``running`` if the device runs one.

        ``address`` is the IP address that it logs in from. A device that lost its server before it
        could say what it runs ``is_failing_over``: like one that runs it is held up by no limit.

        Raises ``DeviceDisabledError``, ``DeviceUnassignedError``, ``ImageWithoutVersionError``,
        ``VersionWaitsError``, ``NoServerForVersionError``, ``NoRoomForDeviceError``,
        ``RunningVersionUnknownError``.
        """
        now = self._clock.now()
        is_running = is_failing_over or running is not None
        with self._transactions.writing() as records:
            device = records.devices.with_id(device_id)
            if running is None and device.assignment is not None:
                note_releases(records, records.versions.of_image(device.assignment.image_id), now)
            caller = Caller(address, is_running=is_running, place=records.places.find(device.id))
            answer = answer_to_login(records, device, self._key, now, running, caller)
            records.places.put(place_after_login(answer, caller, now))
            login = Login(answer.servers[0].id, now, answer.version.image_id)
            records.devices.set_login(device.id, login)
        return replace(answer, device=device.logged_in(login))


def answer_to_login(  # noqa: PLR0913, PLR0917 - what is asked, and whom
    records: Records,
    device: Device,
    key: FarmKey,
    now: datetime,
    running: RootHash | None = None,
    caller: Caller | None = None,
) -> LoginAnswer:
    """Give what the device would be answered at ``now``, changing nothing.

    Raises what :class:`LogDeviceIn` raises.
    """
    if device.disabled:
        raise DeviceDisabledError(device.name)
    caller = caller or Caller(is_running=running is not None)
    if running is None:
        version = _version_to_start(records, device, now)
    else:
        version = _version_that_runs(records, device, running)
    servers = choose_servers(records, device, version, caller, now)
    expires_at = now + TICKET_LIFE
    ticket = Ticket(Purpose.STREAM, device.id, expires_at, version.root)
    return LoginAnswer(
        device=device,
        version=version,
        ticket=ticket.sealed(key.sign(ticket.message())),
        expires_at=expires_at,
        servers=servers,
    )


def _version_to_start(records: Records, device: Device, now: datetime) -> Version:
    if device.assignment is None:
        raise DeviceUnassignedError(device.name)
    image = records.images.with_id(device.assignment.image_id)
    versions = versions_as_of(records, image.id, now)
    chosen = version_to_start(versions, kind_of(device), image.pinned)
    if chosen is not None:
        return chosen
    pending = [version for version in versions if version.standing is Standing.PENDING]
    if pending:
        waiting = pending[-1]
        raise VersionWaitsError(str(waiting.name), str(wait_of(records, waiting, now)))
    raise ImageWithoutVersionError(image.name)


def _version_that_runs(records: Records, device: Device, root: RootHash) -> Version:
    given = (v for v in records.versions.with_root(root) if device.may_run(v.image_id))
    version = running_version(given)
    if version is None:
        raise RunningVersionUnknownError(device.name, root)
    return version
