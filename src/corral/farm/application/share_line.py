"""Divide the line of a site among its servers that fetch copies."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from corral.farm.domain.estate.replication import share

if TYPE_CHECKING:
    from datetime import datetime

    from corral.farm.application.ports.records import Records
    from corral.farm.domain.estate.server import Server

GIVEN_UP_AFTER: Final = timedelta(minutes=10)
"""A silent server may go on fetching by the configuration that it keeps: so long it has a share."""


def share_of(records: Records, server: Server, now: datetime) -> int | None:
    """Give the bytes a second that a server may take now; none for no limit.

    What the site may take is divided evenly among those that have anything to fetch. One that has
    nothing is told what it would get if it had: it begins only with another configuration.
    """
    rate = records.sites.with_id(server.site_id).bandwidth.rate_at(now)
    if rate is None:
        return None
    others = sum(
        _fetches(records, other, now)
        for other in records.servers.all()
        if other.site_id == server.site_id and other.id != server.id
    )
    return share(rate, others + 1)


def _fetches(records: Records, server: Server, now: datetime) -> bool:
    heard_at = server.added_at if server.last_report is None else server.last_report.at
    if now - heard_at > GIVEN_UP_AFTER:
        return False
    return any(
        not (replica.is_complete or replica.is_removing)
        for replica in records.replicas.of_server(server.id)
    )
