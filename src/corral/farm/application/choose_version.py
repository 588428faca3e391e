"""Look up what several use cases need of a version before they work on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corral.farm.domain.image.errors import VersionNotHeldError, VersionUnknownError

if TYPE_CHECKING:
    from corral.farm.application.ports.records import Records
    from corral.farm.domain.estate.server import Server, ServerName
    from corral.farm.domain.image.version import Version, VersionName


def published_version(records: Records, name: VersionName) -> Version:
    """Give the version, refused as unknown if it is not (or no longer) published."""
    records.images.get(name.image)
    version = records.versions.get(name)
    if not version.is_published:
        raise VersionUnknownError(str(name))
    return version


def holding_server(records: Records, version: Version, name: ServerName | None) -> Server:
    """Give the named server, or the first by name that holds the version completely."""
    complete = {r.server_id for r in records.replicas.of_root(version.root) if r.is_complete}
    if name is not None:
        server = records.servers.get(name)
        if server.id not in complete:
            raise VersionNotHeldError(str(version.name), server.name)
        return server
    for server in records.servers.all():
        if server.id in complete:
            return server
    raise VersionNotHeldError(str(version.name), "any")
