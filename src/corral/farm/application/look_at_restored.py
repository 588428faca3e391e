"""Bring together what a restored farm remembers and what others say."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from corral.farm.application.computers_ahead import computers_ahead
from corral.farm.domain.backup.adoption import Remembered, SeenServer
from corral.farm.domain.backup.difference import differences
from corral.farm.domain.backup.errors import FarmNotRestoredError

if TYPE_CHECKING:
    from datetime import datetime

    from corral.farm.application.ports.backups import Restoration
    from corral.farm.application.ports.records import Records
    from corral.farm.domain.backup.difference import Difference
    from corral.farm.domain.backup.observation import HeldOverlay, Observation
    from corral.farm.domain.estate.server import Server


@dataclass(frozen=True)
class RestoredLook:
    """A restored farm at one moment."""

    restoration: Restoration
    remembered: Remembered
    servers: tuple[SeenServer, ...]
    differences: tuple[Difference, ...]


def look_at_restored(records: Records, now: datetime) -> RestoredLook:
    """Look at everything; raises ``FarmNotRestoredError``."""
    restoration = records.restorations.find()
    if restoration is None:
        raise FarmNotRestoredError
    known = remembered(records, restoration)
    servers = tuple(seen_server(records, one) for one in records.servers.all())
    computers = computers_ahead(records, restoration, now)
    return RestoredLook(restoration, known, servers, differences(known, servers, computers))


def remembered(records: Records, restoration: Restoration) -> Remembered:
    """Give what the records say."""
    versions = tuple(records.versions.all())
    overlays = records.overlays.all()
    published = {one.root for one in versions}
    images = {one.image_id for one in versions}
    found = [records.images.with_id(one) for one in images]
    return Remembered(
        generation=restoration.generation,
        versions=versions,
        last_numbers={one.name: one.last_number for one in found},
        replicas=frozenset(
            (one.server_id, one.root) for one in records.replicas.all() if one.root in published
        ),
        overlays={one.id: one.server_id for one in overlays},
        begun=frozenset(one.id for one in overlays if one.created_at >= restoration.restored_at),
        devices={str(one.id): one.name for one in records.devices.all()},
    )


def _without_given_up(records: Records, said: Observation) -> Observation:
    """Leave out the write caches in whose place a device began another one since the restoration.

    It runs with that one by now, which nobody may take from it.
    """
    restoration = records.restorations.find()
    if restoration is None:
        return said
    return replace(
        said,
        overlays=tuple(
            held for held in said.overlays if not _is_given_up(records, held, restoration)
        ),
    )


def _is_given_up(records: Records, held: HeldOverlay, restoration: Restoration) -> bool:
    return held.kind.is_cache and any(
        one.kind.is_cache and one.id != held.id and one.created_at >= restoration.restored_at
        for one in records.overlays.of_device(held.device_id)
    )


def seen_server(records: Records, server: Server) -> SeenServer:
    """Give what a server said."""
    names = {one.id: str(one.name) for one in records.devices.all()}
    sessions = records.sessions.of_server(server.id)
    named = [(one.device_id, one.export) for one in sessions if one.device_id is not None]
    said = records.observations.find(server.id)
    return SeenServer(
        id=server.id,
        name=server.name,
        observation=None if said is None else _without_given_up(records, said),
        streams=tuple((names.get(one, str(one)), export) for one, export in named),
        unknown=frozenset(str(one) for one, _ in named if one not in names),
    )
