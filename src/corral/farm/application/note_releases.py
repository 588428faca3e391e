"""Which versions are released by now, as every verb that must know computes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from corral.farm.application.observing import observes
from corral.farm.domain.image.change import VersionChange
from corral.farm.domain.image.release import Held, ReleaseWait, release_wait
from corral.farm.domain.image.standing import Standing, VersionEvent

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from corral.farm.application.ports.records import Records
    from corral.farm.domain.estate.server import Server
    from corral.farm.domain.image.image import ImageId
    from corral.farm.domain.image.replica import Replica
    from corral.farm.domain.image.version import Version

FARM: Final = "farm"
"""Who did what nobody asked for at that moment."""


def wait_of(records: Records, version: Version, now: datetime) -> ReleaseWait:
    """Say what the release of a version waits for; nothing of one that is not pending."""
    if version.standing is not Standing.PENDING:
        return ReleaseWait()
    holders = (
        _held(records.servers.with_id(replica.server_id), replica, now)
        for replica in records.replicas.of_root(version.root)
        # What a relay has not got yet is told to its computers all the same.
        if not records.servers.with_id(replica.server_id).relay
    )
    return release_wait(version, holders, now)


def _held(server: Server, replica: Replica, now: datetime) -> Held:
    heard_at = server.added_at if server.last_report is None else server.last_report.at
    return Held(
        server.name,
        replica,
        silent_since=None if server.may_be_relied_on(now) else heard_at,
        is_in_maintenance=server.maintenance,
    )


def as_of(records: Records, versions: Iterable[Version], now: datetime) -> tuple[Version, ...]:
    """Give the versions as they stand at ``now``, changing nothing."""
    return tuple(
        version.released(now)
        if version.standing is Standing.PENDING and wait_of(records, version, now).is_over
        else version
        for version in versions
    )


def versions_as_of(records: Records, image_id: ImageId, now: datetime) -> tuple[Version, ...]:
    """Give an image's versions as they stand at ``now``, changing nothing."""
    return as_of(records, records.versions.of_image(image_id), now)


def note_releases(records: Records, versions: Iterable[Version], now: datetime) -> None:
    """Record the releases that are due.

    What was released stays so when a server is added later, or loses chunks: a device never goes
    back to an older version by itself. A farm that observes records none: whoever must know what is
    due computes it.
    """
    for version in versions:
        if version.standing is Standing.PENDING and wait_of(records, version, now).is_over:
            if observes(records):
                return
            released = version.released(now)
            records.versions.move(version, released.changed(FARM, now))
            records.version_changes.note(
                VersionChange(version.image_id, version.number, now, FARM, VersionEvent.RELEASE)
            )
