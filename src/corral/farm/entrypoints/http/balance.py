"""Checks, drains and rebalances."""

from typing import Annotated

from fastapi import APIRouter

from corral.farm.application.rebalance_servers import Rebalance
from corral.farm.domain.access.permission import Permission, Place
from corral.farm.domain.estate.server import server_name
from corral.farm.domain.estate.site import site_name
from corral.farm.entrypoints.http.estate_servers import demand
from corral.farm.entrypoints.http.permitted import Caller, permitted
from corral.wire import balance as wire
from corral.wire import check as check_wire

Balancer = Annotated[Caller, permitted(Permission.SERVER_BALANCE)]


def check_routes() -> APIRouter:
    """Give the route of the farm check."""
    router = APIRouter(prefix="/v1/farm", tags=["farm"])

    @router.get("/check", operation_id="check_farm")
    def check_farm(
        caller: Annotated[Caller, permitted(Permission.FARM_CHECK)],
    ) -> check_wire.FarmCheck:
        """Look at the whole farm and say what is not as it should be."""
        report = caller.application.check_farm()
        return check_wire.FarmCheck(
            farm=report.farm.name,
            at=report.at,
            passed=report.is_passed,
            findings=tuple(
                check_wire.Finding(
                    code=one.kind.code,
                    severity=one.kind.severity.value,
                    object=one.thing,
                    message=one.message,
                    way_out=one.kind.way_out,
                    devices=one.devices,
                    computers=one.computers,
                )
                for one in report.findings
            ),
            versions=tuple(
                check_wire.CheckedVersion(
                    version=str(one.name),
                    root=one.root.hex,
                    servers=tuple(one.servers),
                    running=one.running,
                    starting=one.starting,
                )
                for one in report.versions
            ),
            login_addresses=report.login_addresses,
            not_applicable=tuple(
                check_wire.NotApplicable(check=one.check, why=one.why)
                for one in report.not_applicable
            ),
        )

    return router


def server_routes() -> APIRouter:
    """Give the route that relieves one server."""
    router = APIRouter(prefix="/v1/servers", tags=["servers"])

    @router.post("/{name}/rebalance", operation_id="rebalance_server")
    def rebalance_server(name: str, caller: Balancer, *, dry_run: bool = False) -> wire.Rebalance:
        """Move devices away from a server that carries more than its share."""
        demand(caller, name)
        verb = caller.application.rebalance_servers
        return _in_wire(verb.of_server(server_name(name), is_dry_run=dry_run))

    return router


def site_routes() -> APIRouter:
    """Give the route that relieves the servers of a site."""
    router = APIRouter(prefix="/v1/sites", tags=["sites"])

    @router.post("/{name}/rebalance", operation_id="rebalance_site")
    def rebalance_site(name: str, caller: Balancer, *, dry_run: bool = False) -> wire.Rebalance:
        """Move devices between the servers of a site until each carries its share."""
        site = caller.application.show_site(site_name(name)).site
        caller.demand(Place(site=site.id))
        verb = caller.application.rebalance_servers
        return _in_wire(verb.of_site(site.name, is_dry_run=dry_run))

    return router


def _in_wire(of: Rebalance) -> wire.Rebalance:
    return wire.Rebalance(
        ordered=of.is_ordered,
        moves=tuple(
            wire.Move(device=one.device, origin=one.origin, target=one.target, why=one.why)
            for one in of.moves
        ),
        left_alone=tuple(
            wire.LeftAlone(
                server=one.server,
                code=one.quiet.name.lower().replace("_", "-"),
                why=one.quiet.value,
            )
            for one in of.quiet
        ),
    )
