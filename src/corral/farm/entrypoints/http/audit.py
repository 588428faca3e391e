"""What was changed, by whom and from where."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query

from corral.farm.application.list_audit import MOST_AT_ONCE
from corral.farm.domain.access.actor import ActorKind
from corral.farm.domain.access.audit import AuditFilter
from corral.farm.domain.access.permission import Permission
from corral.farm.entrypoints.http import access_messages
from corral.farm.entrypoints.http.permitted import Caller, permitted
from corral.wire import access as wire
from corral.wire.message import UnixMoment


def routes() -> APIRouter:
    """Give the routes."""
    router = APIRouter(prefix="/v1/audit", tags=["audit"])

    @router.get("", operation_id="list_audit")
    def entries(  # noqa: PLR0913 - one for each filter
        caller: Annotated[Caller, permitted(Permission.AUDIT_READ)],
        *,
        since: UnixMoment | None = None,
        until: UnixMoment | None = None,
        actor_kind: ActorKind | None = None,
        actor: str | None = None,
        where: str | None = None,
        what: str | None = None,
        thing: str | None = None,
        before: Annotated[int | None, Query(ge=1)] = None,
        limit: Annotated[int, Query(ge=1, le=MOST_AT_ONCE)] = 100,
    ) -> wire.AuditPage:
        """Tell what was changed, the newest first.

        ``what`` is a noun (``server``) or a noun with what happened to it (``server.change``).
        """
        wanted = AuditFilter(
            since=None if since is None else datetime.fromtimestamp(since, UTC),
            until=None if until is None else datetime.fromtimestamp(until, UTC),
            kind=actor_kind,
            name=actor,
            where=where,
            what=what,
            thing=thing,
        )
        found = caller.application.list_audit(wanted, limit, before)
        return wire.AuditPage(
            entries=tuple(map(access_messages.entry, found)),
            next=found[-1].number if len(found) == limit else None,
        )

    return router
