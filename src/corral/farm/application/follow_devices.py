"""Keep a server's sessions, and learn from them where devices are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corral.farm.domain.delivery.place import Report, devices_in_question, follow, reads_noticed
from corral.farm.domain.image.errors import ImageUnknownError, VersionUnknownError
from corral.farm.domain.image.version import VersionName

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from corral.farm.application.ports.records import Records
    from corral.farm.domain.delivery.device import DeviceId
    from corral.farm.domain.delivery.session import Session
    from corral.farm.domain.estate.server import ServerId
    from corral.farm.domain.image.root import RootHash


def follow_devices(
    records: Records, server_id: ServerId, reported: Sequence[Session], now: datetime
) -> None:
    """Put the sessions in the place of those before, and move the places that they change."""
    sessions = reads_noticed(records.sessions.of_server(server_id), reported, now)
    records.sessions.replace(server_id, sessions)
    present = {session.device_id for session in sessions if session.device_id is not None}
    known = {
        place.device_id: place
        for place in (*records.places.of_server(server_id), *records.places.of_devices(present))
    }
    elsewhere: dict[DeviceId, tuple[Session, ...]] = {}
    for session in records.sessions.of_devices(
        devices_in_question(server_id, sessions, known, now)
    ):
        if session.device_id is not None and session.server_id != server_id:
            others = elsewhere.get(session.device_id, ())
            elsewhere[session.device_id] = (*others, session)
    unplaced = present - known.keys()
    changes = follow(
        Report(
            server_id=server_id,
            sessions=sessions,
            roots=_roots(records, sessions) if unplaced else {},
            places=known,
            elsewhere=elsewhere,
            known_devices=frozenset(known)
            | (frozenset(device.id for device in records.devices.all()) if unplaced else set()),
        ),
        now,
    )
    for place in changes.placed:
        records.places.put(place)
    for device_id in changes.gone:
        records.places.remove(device_id)


def _roots(records: Records, sessions: Sequence[Session]) -> dict[str, RootHash]:
    roots: dict[str, RootHash] = {}
    for export in {session.export for session in sessions}:
        try:
            # A writable export is named after its version and its device.
            roots[export] = records.versions.get(VersionName.parse(export.partition("@")[0])).root
        except (ImageUnknownError, VersionUnknownError):
            continue
    return roots
