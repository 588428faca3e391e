"""Choose the servers that a device is answered with."""

from __future__ import annotations

from dataclasses import dataclass, replace
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
    from corral.farm.domain.estate.subnet import Subnet
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
    networks: tuple[Subnet, ...] = ()
    """Where it would log in from, if it is not here and never was."""
    is_for_later: bool = False
    """The answer is kept for a time when nobody can say how many devices are where."""


def supposed_caller(records: Records, device: Device, *, is_for_later: bool = False) -> Caller:
    """Give the login of a device that does not log in: it is only asked what it would be told.

    It would come from where it did last. One that never came would from its site: from a subnet of
    that, or if it names none, from one that a server there is near to.
    """
    place = records.places.find(device.id)
    caller = Caller(place=place, is_for_later=is_for_later)
    if address_of(caller, device) is not None:
        return caller
    site = records.sites.with_id(records.collections.with_id(device.collection_id).site_id)
    networks = site.subnets or tuple(
        subnet
        for server in records.servers.all()
        if server.site_id == site.id
        for subnet in server.subnets
    )
    return replace(caller, networks=networks)


def choose_servers(
    records: Records, device: Device, version: Version, caller: Caller, now: datetime
) -> tuple[Server, ...]:
    """Give the servers that the device may try, best first; at least one.

    Raises ``NoServerForVersionError`` if none could serve the version to anybody, else
    ``NoRoomForDeviceError`` if none lets this device in.
    """
    place = caller.place
    only = records.images.with_id(version.image_id).only_server
    ranking = rank(
        hosts_of(records, now),
        Arrival(
            device_id=device.id,
            holders=holders_of(records, version.root),
            is_running=caller.is_running,
            place=None if place is None else place.server_id,
            wanted=caller.wanted,
            address=address_of(caller, device),
            networks=caller.networks,
            is_for_later=caller.is_for_later,
            affinity=affinity_of(records.affinities.all(), device.collection_id, version.image_id),
            only=only,
            site_id=records.collections.with_id(device.collection_id).site_id,
        ),
    )
    if not ranking.servers:
        told = [
            (name, why_not) for name, why_not in ranking.refused if why_not in _ABOUT_THE_DEVICE
        ]
        if told:
            raise NoRoomForDeviceError(device.name, told)
        name = None if only is None else records.servers.with_id(only).name
        raise NoServerForVersionError(version.name, name)
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
        address = address_of(caller, answer.device)
        return Place(device_id, first, now, root, started_at=now, address=address)
    if place is None:
        return Place(device_id, first, now, root, address=address_of(caller, answer.device))
    if first in {place.server_id, caller.wanted}:
        return place
    return place.moved(first, now)


def address_of(caller: Caller, device: Device) -> str | None:
    """Give where it logs in from, or did when it started, or last."""
    return (
        caller.address
        or (None if caller.place is None else caller.place.address)
        or (None if device.last_login is None else device.last_login.address)
    )
