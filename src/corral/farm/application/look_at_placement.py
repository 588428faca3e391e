"""Bring together what placement is decided on: servers with their load, devices and places."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from corral.farm.domain.delivery.affinity import affinity_of
from corral.farm.domain.delivery.placement import PlacedDevice, Placement
from corral.farm.domain.delivery.ranking import Affinity, Host, Load
from corral.farm.domain.image.overlay import OverlayPhase
from corral.farm.domain.image.version import running_version

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from corral.farm.application.ports.records import Records
    from corral.farm.domain.delivery.place import Place
    from corral.farm.domain.estate.server import Server, ServerId
    from corral.farm.domain.estate.site import SiteId
    from corral.farm.domain.estate.subnet import Subnet
    from corral.farm.domain.image.root import RootHash
    from corral.farm.domain.image.version import Version


def hosts_of(records: Records, now: datetime) -> tuple[Host, ...]:
    """Give the servers as placement sees them, in the order of names."""
    loads = records.places.loads(now)
    site_subnets = {site.id: site.subnets for site in records.sites.all()}
    return tuple(
        _host(server, loads.get(server.id, Load()), site_subnets, now)
        for server in records.servers.all()
    )


def _host(
    server: Server, load: Load, site_subnets: Mapping[SiteId, tuple[Subnet, ...]], now: datetime
) -> Host:
    return Host(
        id=server.id,
        name=server.name,
        is_online=server.may_be_relied_on(now),
        takes_devices=server.has_room_for_devices,
        site_id=server.site_id,
        rating=server.power_rating,
        max_devices=server.max_devices,
        max_booting=server.max_devices_booting,
        subnets=server.subnets or site_subnets.get(server.site_id, ()),
        load=load,
    )


def holders_of(records: Records, root: RootHash) -> frozenset[ServerId]:
    """Give the servers whose stores have every chunk of a root."""
    return frozenset(r.server_id for r in records.replicas.of_root(root) if r.is_complete)


def look_at_placement(records: Records, now: datetime) -> Placement:
    """Give who is where, and who could be."""
    hosts = hosts_of(records, now)
    by_id = {host.id: host for host in hosts}
    devices = {device.id: device for device in records.devices.all()}
    versions: dict[RootHash, Version | None] = {}
    holders: dict[RootHash, frozenset[ServerId]] = {}
    connected: defaultdict[object, set[ServerId]] = defaultdict(set)
    for session in records.sessions.all():
        connected[session.device_id].add(session.server_id)
    written = {
        (overlay.device_id, overlay.server_id, overlay.base)
        for overlay in records.overlays.all()
        if overlay.phase is OverlayPhase.OPEN
    }
    said = records.affinities.all()
    only = {image.id: image.only_server for image in records.images.all()}
    placed: list[PlacedDevice] = []
    for place in records.places.all():
        device = devices.get(place.device_id)
        if device is None or place.server_id not in by_id:
            continue
        if place.root not in versions:
            versions[place.root] = running_version(records.versions.with_root(place.root))
            holders[place.root] = holders_of(records, place.root)
        version = versions[place.root]
        if version is None:
            continue
        is_bound = (place.device_id, place.server_id, place.root) in written
        one = only.get(version.image_id)
        may_use = _allowed(
            holders[place.root] if one is None else holders[place.root] & {one},
            place,
            affinity_of(said, device.collection_id, version.image_id),
            by_id,
        )
        placed.append(
            PlacedDevice(
                id=device.id,
                name=device.name,
                place=place.server_id,
                version=version.name,
                may_use=frozenset({place.server_id}) if is_bound else may_use,
                connected_to=frozenset(connected[device.id]),
                is_booting=place.is_booting(now),
                is_bound=is_bound,
            )
        )
    return Placement(hosts, tuple(placed))


def _allowed(
    holders: frozenset[ServerId],
    place: Place,
    affinity: Affinity,
    hosts: Mapping[ServerId, Host],
) -> frozenset[ServerId]:
    if affinity is not Affinity.FIXED:
        return holders
    return frozenset(
        server for server in holders if server in hosts and hosts[server].is_near(place.address)
    )
