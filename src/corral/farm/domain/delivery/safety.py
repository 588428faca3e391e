"""What happens to devices when servers go: the proof before a drain, and the farm check's question.

A server that has gone silent is counted as lost, so that nobody is promised a place there, and as
present, so that the devices which it last reported are taken to be running and to need a place. So
are those of a server that drains or is under maintenance: they are on their way elsewhere.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from corral.farm.domain.delivery.fitting import Group, fit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from corral.farm.domain.delivery.device import DeviceName
    from corral.farm.domain.delivery.placement import PlacedDevice, Placement
    from corral.farm.domain.delivery.ranking import Host
    from corral.farm.domain.estate.server import ServerId, ServerName


class Lack(StrEnum):
    """What a device lacks that would have to go elsewhere."""

    HOLDER = "no other server that takes devices and that it may use holds all of its version"
    OVERLAY = "it writes to a disk that only this server keeps"
    ROOM = "the other servers that hold its version have no room for it"


@dataclass(frozen=True)
class Stranded:
    """A device that would have no server."""

    device: PlacedDevice
    lack: Lack
    lost: ServerName | None
    """The further loss after which it would have none; none if it has none even without."""

    def __str__(self) -> str:
        when = "" if self.lost is None else f" once {self.lost} is lost too"
        return f"device {self.device.name} ({self.device.version}):{when} {self.lack}"


def unsafe_without(placement: Placement, server: ServerId) -> tuple[Stranded, ...]:
    """Give the devices of a server that its drain would put at risk, by name.

    Each device that streams from it must have a place with all bytes of its version, and must
    still have one if any one further server is lost with all its devices.
    """
    rest = [host for host in placement.hosts if host.is_open and host.id != server]
    endless = {host.id for host in rest if host.room is None}
    asked = [device for device in placement.devices if device.streams_from(server)]
    if all(len(device.may_use & endless) > 1 for device in asked):
        # Whatever is lost, each has a server left that takes any number.
        return ()
    found: dict[DeviceName, Stranded] = {}
    for lost in (None, *rest):
        for one in _stranded(
            placement,
            [host for host in rest if host is not lost],
            lost,
            is_asked_for=lambda device: device.streams_from(server),
        ):
            found.setdefault(one.device.name, one)
    return tuple(found[name] for name in sorted(found))


def stranded_by_loss(placement: Placement, server: ServerId) -> tuple[Stranded, ...]:
    """Give the devices that would have no server if this one were lost now, by name."""
    rest = [host for host in placement.hosts if host.is_open and host.id != server]
    stranded = _stranded(
        placement, rest, placement.host(server), is_asked_for=lambda one: one.place == server
    )
    return tuple(sorted(stranded, key=lambda one: one.device.name))


def _stranded(
    placement: Placement,
    rest: Iterable[Host],
    lost: Host | None,
    is_asked_for: Callable[[PlacedDevice], bool],
) -> list[Stranded]:
    """Find room on ``rest`` for all whose place is not there; those not asked for come first."""
    room = {host.id: host.room for host in rest}
    groups: defaultdict[tuple[bool, frozenset[ServerId]], list[PlacedDevice]] = defaultdict(list)
    for device in placement.devices:
        if device.place not in room:
            groups[is_asked_for(device), device.may_use.intersection(room)].append(device)
    order = sorted(groups, key=lambda group: (group[0], sorted(group[1])))
    seated = fit([Group(servers, len(groups[asked, servers])) for asked, servers in order], room)
    stranded: list[Stranded] = []
    for (is_asked, servers), count in zip(order, seated, strict=True):
        if is_asked:
            by_name = sorted(groups[is_asked, servers], key=lambda device: device.name)
            name = None if lost is None else lost.name
            stranded += [
                Stranded(device, _lack(device, servers), name) for device in by_name[count:]
            ]
    return stranded


def _lack(device: PlacedDevice, servers: frozenset[ServerId]) -> Lack:
    if device.is_bound:
        return Lack.OVERLAY
    return Lack.ROOM if servers else Lack.HOLDER
