"""Servers come, drain and take devices again."""

from http import HTTPStatus
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Response

from corral.farm.application.add_server import NewServer
from corral.farm.domain.access.permission import Permission, Place
from corral.farm.domain.estate.address import Address
from corral.farm.domain.estate.capacity import device_limit, power_rating
from corral.farm.domain.estate.server import server_name
from corral.farm.domain.estate.site import FIRST_SITE, site_name
from corral.farm.domain.estate.store import store_name
from corral.farm.domain.estate.subnet import parse_subnets
from corral.farm.entrypoints.http.estate_servers import demand, shown
from corral.farm.entrypoints.http.permitted import Caller, permitted
from corral.farm.entrypoints.http.wishes import or_none
from corral.wire import estate as wire

Drainer = Annotated[Caller, permitted(Permission.SERVER_DRAIN)]


def routes() -> APIRouter:
    """Give the routes."""
    router = APIRouter(prefix="/v1/servers", tags=["servers"])

    @router.post("", operation_id="add_server", status_code=HTTPStatus.CREATED)
    def add(
        message: wire.NewServer,
        response: Response,
        caller: Annotated[Caller, permitted(Permission.SERVER_ADD)],
    ) -> wire.AddedServer:
        """Add a server whose store is a folder that this API's machine reaches.

        The file with the server's token is written there, into the farm's folder, and named in the
        answer: who starts the stream process fetches it from there.
        """
        site = FIRST_SITE.id
        if message.site is not None:
            site = caller.application.show_site(site_name(message.site)).site.id
        caller.demand(Place(site=site))
        added = caller.application.add_server(_wanted(message))
        return wire.AddedServer(
            server=shown(caller, added.server.name, response), file=str(added.file)
        )

    @router.post("/{name}/drain", operation_id="drain_server")
    def drain(name: str, response: Response, caller: Drainer) -> wire.ServerItem:
        """Send a server no more devices, if each that it has can go elsewhere."""
        demand(caller, name)
        caller.application.drain_server(server_name(name))
        return shown(caller, name, response)

    @router.post("/{name}/undrain", operation_id="undrain_server")
    def undrain(name: str, response: Response, caller: Drainer) -> wire.ServerItem:
        """Send a server devices again."""
        demand(caller, name)
        caller.application.undrain_server(server_name(name))
        return shown(caller, name, response)

    return router


def _wanted(message: wire.NewServer) -> NewServer:
    return NewServer(
        name=server_name(message.name),
        store_path=None if message.folder is None else Path(message.folder),
        listen=tuple(map(Address.parse, message.listen)),
        chunks_listen=Address.parse(message.chunks),
        advertised=tuple(map(Address.parse, message.advertised)),
        chunks_advertised=or_none(Address.parse)(message.chunks_advertised),
        store=or_none(store_name)(message.store),
        site=or_none(site_name)(message.site),
        description=message.description,
        management=or_none(Address.parse)(message.management),
        power_rating=power_rating(str(message.power_rating)),
        max_devices=or_none(device_limit)(message.max_devices),
        max_devices_booting=or_none(device_limit)(message.max_devices_booting),
        subnets=parse_subnets(message.subnets),
    )
