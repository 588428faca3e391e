"""Devices log in."""

from ipaddress import ip_address

import structlog
from fastapi import APIRouter, Request

from corral.farm.application.start_overlay import Told
from corral.farm.domain.access.token import Token
from corral.farm.domain.delivery.device import DeviceName, device_name
from corral.farm.domain.image.root import RootHash
from corral.farm.domain.image.write_cache import WriteCache
from corral.farm.entrypoints.http.application import Application
from corral.farm.entrypoints.http.bearer import Bearer
from corral.farm.entrypoints.http.later import Later
from corral.farm.entrypoints.http.logins import DATABASE_AWAY, Logins, in_wire
from corral.farm.entrypoints.http.permitted import OpenTo, open_to
from corral.wire.login import LoginAnswer, LoginRequest

_log = structlog.get_logger("corral.http")


def routes(application: Application, logins: Logins | None) -> APIRouter:
    """Give the routes; with ``logins``, also those that the database is away for are answered."""
    router = APIRouter(prefix="/v1/devices", tags=["devices"])
    later = Later()

    def answer(
        name: DeviceName, key: Token, request: LoginRequest | None, address: str | None
    ) -> LoginAnswer:
        device = application.recognise_device(name, key, address or "", later)
        running = None if request is None or request.running is None else RootHash(request.running)
        given = application.log_device_in(
            device,
            running,
            _told(request),
            address=address,
            is_failing_over=request is not None and request.failing_over,
        )
        # The id is what tickets carry, and so what the servers' logs call this device.
        _log.info(
            "logged in",
            device=str(name),
            device_id=str(device),
            version=str(given.version.name),
            server=str(given.servers[0].name),
        )
        return in_wire(given)

    @router.post(
        "/{name}/login", operation_id="log_device_in", dependencies=[open_to(OpenTo.DEVICES)]
    )
    def login(
        name: str, key: Bearer, http: Request, request: LoginRequest | None = None
    ) -> LoginAnswer:
        """Log a device in with its key: what it streams, from which servers, with which ticket.

        A device that starts sends no body and gets the newest version of its image. One that runs
        says which root it runs and gets a new ticket for that, whatever was published since.
        While the farm's database is away the answer comes from the last snapshot and says so.
        """
        device = device_name(name)
        running = None if request is None else request.running
        address = None if http.client is None else _ip_address(http.client.host)
        if logins is None:
            return answer(device, key, request, address)
        if not logins.is_database_away:
            try:
                with logins.watching():
                    return answer(device, key, request, address)
            except DATABASE_AWAY:
                pass
        return logins.answer_without_database(device, key, running)

    return router


def _told(request: LoginRequest | None) -> Told:
    if request is None:
        return Told()
    use = request.write_cache
    if use is None:
        return Told(has_disk=request.cache_disk)
    return Told(
        has_disk=request.cache_disk,
        kind=WriteCache(use.kind.value),
        limit_bytes=use.limit_bytes,
        used_bytes=use.used_bytes,
        problem=use.problem,
    )


def _ip_address(host: str) -> str | None:
    try:
        return str(ip_address(host))
    except ValueError:  # a unix socket, or a test's client
        return None
