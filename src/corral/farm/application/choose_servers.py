"""Choose the servers that a device is answered with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from corral.farm.application.look_at_placement import holders_of, hosts_of
from corral.farm.domain.delivery.affinity import affinity_of
from corral.farm.domain.delivery.errors import NoRoomForDeviceError, NoServerForVersionError
from corral.farm.domain.delivery.place import Place
from corral.farm.domain.delivery.ranking import Arrival, WhyNot, rank

if TYPE_CHECKING:
    from datetime import datetime

    from corral.farm.application.log_device_in import LoginAnswer
    from corral.farm.application.ports.records import Records
    from corral.farm.domain.delivery.device import Device
    from corral.farm.domain.estate.server import Server, ServerId
    from corral.farm.domain.image.version import Version

_ABOUT_THE_DEVICE = {WhyNot.FAR, WhyNot.FULL, WhyNot.BOOTING}


@dataclass(frozen=True)
class Caller:
    """Where a login comes from, and how urgent it is."""

    address: str | None = None
    """The IP address of the device; none if somebody at the farm asks for it."""
    is_running: bool = False
    """It has a disk already: it renews its ticket or lost its server, and no limit keeps it out."""
    place: Place | None = None
    """Where it was until now."""
    wanted: ServerId | None = None
    """Where the farm has asked it to go."""


def choose_servers(
    records: Records, device: Device, version: Version, caller: Caller, now: datetime
) -> tuple[Server, ...]:
    """Give the servers that the device may try, best first; at least one.

    Raises ``NoServerForVersionError`` if none could serve the version to anybody, else
    ``NoRoomForDeviceError`` if none lets this device in.
    """
    place = caller.place
    ranking = rank(
        hosts_of(records, now),
        Arrival(
            device_id=device.id,
            holders=holders_of(records, version.root),
            is_running=caller.is_running,
            place=None if place is None else place.server_id,
            wanted=caller.wanted,
            address=_address(caller),
            affinity=affinity_of(records.affinities.all(), device.collection_id, version.image_id),
            site_id=records.collections.with_id(device.collection_id).site_id,
        ),
    )
    if not ranking.servers:
        told = [
            (name, why_not) for name, why_not in ranking.refused if why_not in _ABOUT_THE_DEVICE
        ]
        if told:
            raise NoRoomForDeviceError(device.name, told)
        raise NoServerForVersionError(version.name)
    servers = {server.id: server for server in records.servers.all()}
    return tuple(servers[server_id] for server_id in ranking.servers)


def place_after_login(answer: LoginAnswer, caller: Caller, now: datetime) -> Place:
    """Give where the device is going: to the first server of the answer.

    One that runs and has a place was listed first there, if it can stay. One that was asked to move
    is where it was until it is seen to read elsewhere.
    """
    device_id, first, root = answer.device.id, answer.servers[0].id, answer.version.root
    place = caller.place
    if not caller.is_running:
        return Place(device_id, first, now, root, started_at=now, address=_address(caller))
    if place is None:
        return Place(device_id, first, now, root, address=_address(caller))
    if first in {place.server_id, caller.wanted}:
        return place
    return place.moved(first, now)


def _address(caller: Caller) -> str | None:
    """Where it logs in from, or did when it started."""
    return caller.address or (None if caller.place is None else caller.place.address)
