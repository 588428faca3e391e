"""Look up what several use cases need of a version before they work on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corral.farm.domain.image.errors import (
    VersionDamagedError,
    VersionNotHeldError,
    VersionUnknownError,
)
from corral.farm.domain.image.replica import ReplicaState

if TYPE_CHECKING:
    from corral.farm.application.ports.records import Records
    from corral.farm.domain.estate.server import Server, ServerName
    from corral.farm.domain.image.image import Image, ImageName
    from corral.farm.domain.image.version import Version, VersionName


def image_of(records: Records, name: ImageName) -> Image:
    """Give the image of that name, the library's too, whose versions no device starts from.

    Raises ``ImageUnknownError``.
    """
    found = records.images.find(name) or records.images.find_of_library(name)
    return records.images.get(name) if found is None else found


def published_version(records: Records, name: VersionName) -> Version:
    """Give the version, refused as unknown if it is not (or no longer) published."""
    records.images.get(name.image)
    return _published(records, name)


def version_to_copy(records: Records, name: VersionName) -> Version:
    """Give the published version, the library's too: servers have both alike."""
    image_of(records, name.image)
    return _published(records, name)


def _published(records: Records, name: VersionName) -> Version:
    version = records.versions.get(name)
    if not version.is_published:
        raise VersionUnknownError(str(name))
    return version


def holding_server(records: Records, version: Version, name: ServerName | None) -> Server:
    """Give the named server, or the first by name that holds the version completely."""
    states = {r.server_id: r.state for r in records.replicas.of_root(version.root)}
    if name is None:
        # A relay is asked last: it stands at the end of a thin line.
        servers = sorted(records.servers.all(), key=lambda one: one.relay)
    else:
        servers = [records.servers.get(name)]
    for server in servers:
        if states.get(server.id) is ReplicaState.COMPLETE:
            return server
    for server in servers:
        if states.get(server.id) is ReplicaState.DAMAGED:
            raise VersionDamagedError(str(version.name), server.name)
    raise VersionNotHeldError(str(version.name), name)
