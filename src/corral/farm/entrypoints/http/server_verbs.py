"""Servers come, drain, take devices again, and go."""

import base64
from http import HTTPStatus
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Response

from corral.farm.application.add_server import AddedServer, NewServer
from corral.farm.application.remove_server import ServerRemoval
from corral.farm.domain.access.permission import Permission, Place
from corral.farm.domain.estate.address import Address
from corral.farm.domain.estate.capacity import device_limit, power_rating
from corral.farm.domain.estate.server import server_name
from corral.farm.domain.estate.site import FIRST_SITE, site_name
from corral.farm.domain.estate.store import store_name
from corral.farm.domain.estate.subnet import parse_subnets
from corral.farm.entrypoints.http.estate_servers import demand, shown
from corral.farm.entrypoints.http.permitted import Caller, permitted
from corral.farm.entrypoints.http.wishes import Expected, or_none
from corral.wire import estate as wire
from corral.wire.server import ServerFile

Remover = Annotated[Caller, permitted(Permission.SERVER_REMOVE)]
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

        The answer's ``file`` holds the server's token and is given this once: write it as it is
        to a file that only its owner may read, and start the stream process from that.
        """
        site = FIRST_SITE.id
        if message.site is not None:
            site = caller.application.show_site(site_name(message.site)).site.id
        caller.demand(Place(site=site))
        added = caller.application.add_server(_wanted(message), writes_file=False)
        return wire.AddedServer(
            server=shown(caller, added.server.name, response), file=_file(added)
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

    @router.get("/{name}/removal", operation_id="plan_server_removal")
    def plan_removal(name: str, caller: Remover, *, lost: bool = False) -> wire.ServerRemoval:
        """Say what would go with a server, or why it cannot go; nothing is changed."""
        demand(caller, name)
        plan = caller.application.remove_server.plan(server_name(name), is_lost=lost)
        return _removal(plan)

    @router.delete("/{name}", operation_id="remove_server")
    def remove(
        name: str, expected: Expected, caller: Remover, *, lost: bool = False
    ) -> wire.ServerRemoval:
        """Remove a server that nobody needs; ``lost`` is your word that its disk is gone."""
        demand(caller, name)
        removed = caller.application.remove_server(server_name(name), expected, is_lost=lost)
        return _removal(removed)

    return router


def _file(added: AddedServer) -> ServerFile:
    """Give what the command line writes to ``servers/NAME.json``."""
    server, farm = added.server, added.farm
    return ServerFile(
        farm=farm.id,
        farm_public_key=base64.b64encode(farm.public_key).decode("ascii"),
        server=server.name,
        token=added.token.reveal(),
        api_urls=farm.api_urls,
        store=str(server.store.path),
        listen=tuple(map(str, server.listen)),
        chunks=str(server.chunks_listen),
        certificate_authority=added.root,
    )


def _removal(of: ServerRemoval) -> wire.ServerRemoval:
    return wire.ServerRemoval(
        server=of.server.name,
        lost=of.is_lost,
        removed=of.is_done,
        copies=tuple(map(str, of.copies)),
        disks=tuple(
            wire.LostDisk(device=disk.device, version=str(disk.version), kind=disk.kind.value)
            for disk in of.disks
        ),
        deleted=tuple(map(str, of.deleted)),
        tasks=of.tasks,
        schedules=of.schedules,
    )


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
        relay=message.relay,
    )
