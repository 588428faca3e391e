"""The schema of the farm's database. To change it is a local act, of a machine that reaches it."""

from typing import Annotated

from fastapi import APIRouter

from corral.farm.domain.access.permission import Permission
from corral.farm.entrypoints.http.permitted import Caller, permitted
from corral.wire import schema as wire


def routes() -> APIRouter:
    """Give the route."""
    router = APIRouter(prefix="/v1/schema", tags=["farm"])

    @router.get("", operation_id="show_schema")
    def show(caller: Annotated[Caller, permitted(Permission.FARM_CHECK)]) -> wire.Schema:
        """Say where the schema of the farm's database is, and which releases work on it."""
        found = caller.application.show_schema()
        return wire.Schema(
            release=found.release,
            standing=found.standing.value,
            head=found.own.head,
            needs=found.own.needs,
            embedded=found.is_embedded,
            step=found.seen.revision,
            readable_from=found.seen.readable_from,
            oldest_console=found.seen.oldest_console,
            pending=tuple(
                wire.SchemaStep(step=one.revision, half=one.half.value, what=one.what)
                for one in found.pending
            ),
            servers=tuple(
                wire.ServerRelease(server=one.server, release=one.release) for one in found.servers
            ),
        )

    return router
