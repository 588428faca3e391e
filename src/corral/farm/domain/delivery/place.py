"""A place: the server that a device reads from, as far as the farm knows.

A device keeps connections to two servers and reads from one of them. Where it reads is its place,
and counts as load there. A login says where a device is going; what servers report afterwards says
where it is. The farm asks neither the device nor the server: it watches whose sessions grow.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Mapping

    from corral.farm.domain.delivery.device import DeviceId
    from corral.farm.domain.delivery.session import Session
    from corral.farm.domain.estate.server import ServerId
    from corral.farm.domain.image.root import RootHash

BOOTS_FOR: Final = timedelta(minutes=2)
"""A device counts as booting for this long after its login at most …"""
BOOT_BYTES: Final = 256 * 1024 * 1024
"""… and no longer than until it has read this much: a start reads less than 300 MB."""

ARRIVES_WITHIN: Final = timedelta(seconds=15)
"""A device that was sent to a server counts there for this long though no session is seen."""
STEADY_FOR: Final = timedelta(seconds=5)
"""A device moves, for the farm, when it reads elsewhere and has not read where it was for this
long. One late read that was asked of the spare as well is no move."""


@dataclass(frozen=True)
class Place:
    """Where a device is."""

    device_id: DeviceId
    server_id: ServerId
    since: datetime
    """When it was sent there, or first seen to read there."""
    root: RootHash
    """What it runs."""
    started_at: datetime | None = None
    """The login with which it started; unknown of a device that ran before its farm knew places."""
    read_bytes: int = 0
    """What it had read from this server when last looked at during its start."""
    address: str | None = None
    """The IP address that it logged in from, if that was over the network."""

    def is_booting(self, now: datetime) -> bool:
        """Whether it still starts: it logged in a short while ago and has not read much."""
        return (
            self.started_at is not None
            and now - self.started_at < BOOTS_FOR
            and self.read_bytes < BOOT_BYTES
        )

    def moved(self, server_id: ServerId, now: datetime) -> Place:
        """Give the place of the same device on another server."""
        return replace(self, server_id=server_id, since=now)


@dataclass(frozen=True)
class PlaceChanges:
    """What a report has taught about places."""

    placed: tuple[Place, ...] = ()
    gone: tuple[DeviceId, ...] = ()
    """Devices that read from nowhere any more."""


@dataclass(frozen=True)
class Report:
    """A server's sessions, and what was known of their devices before it reported them."""

    server_id: ServerId
    sessions: tuple[Session, ...]
    roots: Mapping[str, RootHash]
    """By export name; a session of an export that is not in it is of a version long gone."""
    places: Mapping[DeviceId, Place]
    """Of the devices in the sessions, and of all that were on this server."""
    elsewhere: Mapping[DeviceId, tuple[Session, ...]]
    """Sessions on other servers, of devices whose place may have changed."""
    known_devices: frozenset[DeviceId]


def devices_in_question(
    server_id: ServerId,
    sessions: Iterable[Session],
    places: Mapping[DeviceId, Place],
    now: datetime,
) -> frozenset[DeviceId]:
    """Give the devices whose sessions elsewhere decide where they are.

    Those that read here though their place is elsewhere, and those that are here no more.
    """
    here: set[DeviceId] = set()
    asked: set[DeviceId] = set()
    for session in sessions:
        if session.device_id is None:
            continue
        here.add(session.device_id)
        place = places.get(session.device_id)
        if place is not None and place.server_id != server_id and session.read_at == now:
            asked.add(session.device_id)
    asked |= {p.device_id for p in places.values() if p.server_id == server_id} - here
    return frozenset(asked)


def follow(report: Report, now: datetime) -> PlaceChanges:
    """Say which places a report changes."""
    placed: list[Place] = []
    gone: list[DeviceId] = []
    newest = _newest_by_device(report.sessions)
    for device_id, session in newest.items():
        if device_id not in report.known_devices:
            continue
        place = report.places.get(device_id)
        root = report.roots.get(session.export)
        if place is None:
            if root is not None:
                placed.append(Place(device_id, report.server_id, now, root))
        elif place.server_id == report.server_id:
            if place.is_booting(now) and place.read_bytes != session.sent_bytes:
                placed.append(replace(place, read_bytes=session.sent_bytes))
        elif session.read_at == now and _has_left(place, report.elsewhere, now):
            placed.append(replace(place.moved(report.server_id, now), root=root or place.root))
    for place in _left_behind(report, newest.keys(), now):
        others = report.elsewhere.get(place.device_id, ())
        if others:
            latest = max(others, key=lambda session: session.read_at or session.connected_at)
            placed.append(place.moved(latest.server_id, now))
        else:
            gone.append(place.device_id)
    return PlaceChanges(tuple(placed), tuple(gone))


def _left_behind(report: Report, present: Container[DeviceId], now: datetime) -> Iterator[Place]:
    """Give the places on the server whose devices are not connected to it any more."""
    for place in report.places.values():
        is_here = place.server_id == report.server_id
        if is_here and place.device_id not in present and now - place.since > ARRIVES_WITHIN:
            yield place


def _has_left(
    place: Place, elsewhere: Mapping[DeviceId, tuple[Session, ...]], now: datetime
) -> bool:
    if now - place.since <= STEADY_FOR:
        return False
    there = (s for s in elsewhere.get(place.device_id, ()) if s.server_id == place.server_id)
    return all(s.read_at is None or now - s.read_at > STEADY_FOR for s in there)


def _newest_by_device(sessions: Iterable[Session]) -> dict[DeviceId, Session]:
    """Of several sessions of a device the one that read last; ``sent_bytes`` is that of all."""
    newest: dict[DeviceId, Session] = {}
    for session in sessions:
        device_id = session.device_id
        if device_id is None:
            continue
        other = newest.setdefault(device_id, session)
        if other is not session:
            read = max(session, other, key=lambda one: one.read_at or one.connected_at)
            of_both = session.sent_bytes + other.sent_bytes
            newest[device_id] = replace(read, sent_bytes=of_both)
    return newest


def reads_noticed(
    before: Iterable[Session], reported: Iterable[Session], now: datetime
) -> tuple[Session, ...]:
    """Give the reported sessions with when each was last seen to read.

    A connection is known again by its device, its address and when it began.
    """
    known = {(s.device_id, s.address, s.connected_at): s for s in before}
    noticed: list[Session] = []
    for session in reported:
        old = known.get((session.device_id, session.address, session.connected_at))
        if session.sent_bytes > (0 if old is None else old.sent_bytes):
            noticed.append(replace(session, read_at=now))
        else:
            noticed.append(replace(session, read_at=None if old is None else old.read_at))
    return tuple(noticed)
