"""Which server has how much of which version, and the rules by which copies flow."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from corral.farm.application.show_replication import CopyView
from corral.farm.domain.access.permission import EVERYWHERE, Permission, Place
from corral.farm.domain.estate.replication import Bandwidth, Window
from corral.farm.domain.estate.replication import copies as copies_of
from corral.farm.domain.estate.site import Site, site_name
from corral.farm.domain.estate.store import store_name
from corral.farm.entrypoints.http.permitted import Caller, permitted
from corral.farm.entrypoints.http.wishes import Expected, tag
from corral.wire import replication as wire


def routes() -> APIRouter:
    """Give the routes."""
    router = APIRouter(prefix="/v1", tags=["replication"])

    @router.get("/replication", operation_id="show_replication")
    def show(caller: Annotated[Caller, permitted(Permission.REPLICA_READ)]) -> wire.Replication:
        """Say of each version on each server how far it is."""
        return wire.Replication(
            copies=tuple(
                _item(view)
                for view in caller.application.show_replication()
                if caller.may(Permission.REPLICA_READ, Place(site=view.server.site_id))
            )
        )

    @router.put("/stores/{name}/copies", operation_id="set_copies")
    def set_copies(
        name: str,
        message: wire.Copies,
        expected: Expected,
        response: Response,
        caller: Annotated[Caller, permitted(Permission.STORE_CHANGE)],
    ) -> wire.Copies:
        """Say how many servers of a store hold each of its versions; copies begin to flow."""
        caller.demand(EVERYWHERE)
        wanted = None if message.copies is None else copies_of(str(message.copies))
        store = caller.application.set_copies(store_name(name), wanted, expected)
        tag(response, store.revision)
        return wire.Copies(copies=store.copies)

    @router.get("/stores/{name}/copies", operation_id="plan_copies")
    def plan_copies(
        name: str,
        caller: Annotated[Caller, permitted(Permission.STORE_CHANGE)],
        copies: Annotated[int | None, Query(ge=1)] = None,
    ) -> wire.CopiesPlan:
        """Say what would come and go with that many copies, or one on every server."""
        caller.demand(EVERYWHERE)
        wanted = None if copies is None else copies_of(str(copies))
        plan = caller.application.set_copies.plan(store_name(name), wanted)
        return wire.CopiesPlan(
            copies=plan.store.copies,
            comes=tuple(
                wire.PlannedCopy(version=str(version), server=server)
                for version, server in plan.comes
            ),
            goes=tuple(
                wire.PlannedCopy(version=str(version), server=server, why=stays.value)
                for version, server, stays in plan.goes
            ),
        )

    @router.put("/sites/{name}/bandwidth", operation_id="limit_replication")
    def limit(
        name: str,
        message: wire.Bandwidth,
        expected: Expected,
        response: Response,
        caller: Annotated[Caller, permitted(Permission.SITE_CHANGE)],
    ) -> wire.Bandwidth:
        """Say what copies may take of the line to a site's servers together."""
        shown = caller.application.show_site(site_name(name))
        caller.demand(Place(site=shown.site.id))
        windows = tuple(Window.parse(f"{one.between}={one.rate}") for one in message.windows)
        bandwidth = Bandwidth(message.rate, windows, message.zone)
        site = caller.application.limit_replication(site_name(name), bandwidth, expected)
        tag(response, site.revision)
        return _bandwidth(site)

    return router


def _item(view: CopyView) -> wire.CopyItem:
    return wire.CopyItem(
        version=str(view.version.name),
        root=view.version.root.hex,
        server=view.server.name,
        state=view.state.value,
        done_bytes=view.done_bytes,
        left_bytes=view.left_bytes,
        seconds_left=None if view.time_left is None else int(view.time_left.total_seconds()),
        problem=view.problem,
    )


def _bandwidth(site: Site) -> wire.Bandwidth:
    return wire.Bandwidth(
        rate=site.bandwidth.rate,
        windows=tuple(
            wire.Window(between=str(window), rate=window.rate) for window in site.bandwidth.windows
        ),
        zone=site.bandwidth.zone,
    )
