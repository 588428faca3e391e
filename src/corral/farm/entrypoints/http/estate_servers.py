"""Servers, as people administer them; what their stream processes ask is in ``servers``."""

from typing import Annotated

from fastapi import APIRouter, Response

from corral.farm.application.change_server import ServerEdit
from corral.farm.application.list_servers import SERVERS, ServerView
from corral.farm.application.listing import page_of
from corral.farm.domain.access.permission import EVERYWHERE, Permission, Place
from corral.farm.domain.estate.address import Address
from corral.farm.domain.estate.capacity import device_limit, power_rating
from corral.farm.domain.estate.server import server_name
from corral.farm.domain.estate.site import site_name
from corral.farm.domain.estate.store import store_name
from corral.farm.domain.estate.subnet import parse_subnets
from corral.farm.entrypoints.http.permitted import Caller, permitted
from corral.farm.entrypoints.http.scrubs import scrub_of
from corral.farm.entrypoints.http.server_releases import releases_message
from corral.farm.entrypoints.http.wishes import Expected, Wished, edit_of, or_none, tag
from corral.wire import estate as wire
from corral.wire.server import ReplicaState


def routes() -> APIRouter:
    """Give the routes."""
    router = APIRouter(prefix="/v1/servers", tags=["servers"])

    @router.get("", operation_id="list_servers")
    def list_servers(
        wish: Wished, caller: Annotated[Caller, permitted(Permission.SERVER_READ)]
    ) -> wire.ServerList:
        """List the servers, and what each holds.

        Keys are name, site, store, state, draining, maintenance, relay, release, address, rating,
        sessions, free, reported, description.
        """
        seen = [
            view
            for view in caller.application.list_servers()
            if caller.may(Permission.SERVER_READ, _place(view))
        ]
        page = page_of(seen, SERVERS, wish)
        return wire.ServerList(
            servers=tuple(map(_item, page.items)), total=page.total, next=page.next
        )

    @router.get("/{name}", operation_id="show_server")
    def show_server(
        name: str, response: Response, caller: Annotated[Caller, permitted(Permission.SERVER_READ)]
    ) -> wire.ServerItem:
        """Show a server, and what it holds."""
        demand(caller, name)
        return shown(caller, name, response)

    @router.patch("/{name}", operation_id="change_server")
    def change_server(
        name: str,
        message: wire.ServerEdit,
        expected: Expected,
        response: Response,
        caller: Annotated[Caller, permitted(Permission.SERVER_CHANGE)],
    ) -> wire.ServerItem:
        """Change a server, take it out of service or back; what is not named stays."""
        demand(caller, name)
        if "site" in message.model_fields_set:
            there = caller.application.show_site(site_name(message.site))
            caller.demand(Place(site=there.site.id))
        if "store" in message.model_fields_set:
            caller.demand(EVERYWHERE)
        caller.application.change_server(server_name(name), _edit(message), expected)
        return shown(caller, name, response)

    return router


def _edit(message: wire.ServerEdit) -> ServerEdit:
    return ServerEdit(
        site=edit_of(message, "site", site_name),
        store=edit_of(message, "store", store_name),
        description=edit_of(message, "description", str),
        advertised=edit_of(message, "addresses", lambda texts: tuple(map(Address.parse, texts))),
        chunks_advertised=edit_of(message, "chunks", Address.parse),
        management=edit_of(message, "management", or_none(Address.parse)),
        power_rating=edit_of(message, "power_rating", lambda number: power_rating(str(number))),
        max_devices=edit_of(message, "max_devices", or_none(device_limit)),
        max_devices_booting=edit_of(message, "max_devices_booting", or_none(device_limit)),
        maintenance=edit_of(message, "maintenance", bool),
        subnets=edit_of(message, "subnets", parse_subnets),
        relay=edit_of(message, "relay", bool),
    )


def demand(caller: Caller, name: str) -> None:
    """Refuse unless the caller may do it where the thing is."""
    caller.demand(_place(caller.application.show_server(server_name(name))))


def shown(caller: Caller, name: str, response: Response) -> wire.ServerItem:
    """Show it as it is now."""
    view = caller.application.show_server(server_name(name))
    tag(response, view.server.revision)
    return _item(view)


def _place(view: ServerView) -> Place:
    return Place(site=view.site.id)


def _item(view: ServerView) -> wire.ServerItem:
    server, report = view.server, view.server.last_report
    return wire.ServerItem(
        id=server.id,
        name=server.name,
        site=view.site.name,
        store=view.store.name,
        store_path=str(server.store.path),
        state=view.state,
        draining=server.draining,
        maintenance=server.maintenance,
        relay=server.relay,
        release="" if report is None else report.release,
        refusal=server.refusal,
        releases=(
            None if report is None or report.releases is None else releases_message(report.releases)
        ),
        description=server.description,
        addresses=tuple(str(address) for address in server.advertised),
        management=None if server.management is None else str(server.management),
        chunk_url=server.chunk_url,
        power_rating=float(server.power_rating),
        max_devices=server.max_devices,
        max_devices_booting=server.max_devices_booting,
        subnets=tuple(map(str, server.subnets)),
        sessions=None if report is None else report.session_count,
        reported_at=None if report is None else int(report.at.timestamp()),
        store_free_bytes=None if report is None else report.free_bytes,
        counters={} if report is None else dict(report.counters),
        scrub=None if report is None or report.scrub is None else scrub_of(report.scrub),
        versions=tuple(
            wire.HeldVersion(
                version=str(held.name),
                root=held.replica.root.hex,
                state=ReplicaState(held.replica.state.value),
                done_bytes=held.replica.done_bytes,
                total_bytes=held.replica.total_bytes,
                fetched_bytes=held.replica.fetched_bytes,
                problem=held.replica.problem,
            )
            for held in view.held
        ),
        revision=server.revision,
    )
