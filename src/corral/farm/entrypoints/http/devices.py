"""Devices log in."""

from fastapi import APIRouter

from corral.farm.domain.access.token import Token
from corral.farm.domain.delivery.device import DeviceName, device_name
from corral.farm.domain.image.root import RootHash
from corral.farm.entrypoints.http.application import Application
from corral.farm.entrypoints.http.bearer import Bearer
from corral.farm.entrypoints.http.logins import DATABASE_AWAY, Logins, in_wire
from corral.farm.entrypoints.http.permitted import OpenTo, open_to
from corral.wire.login import LoginAnswer, LoginRequest


def routes(application: Application, logins: Logins | None) -> APIRouter:
    """Give the routes; with ``logins``, also those that the database is away for are answered."""
    router = APIRouter(prefix="/v1/devices", tags=["devices"])

    def answer(name: DeviceName, key: Token, running: RootHash | None) -> LoginAnswer:
        device = application.recognise_device(name, key)
        return in_wire(application.log_device_in(device, running))

    @router.post(
        "/{name}/login", operation_id="log_device_in", dependencies=[open_to(OpenTo.DEVICES)]
    )
    def login(name: str, key: Bearer, request: LoginRequest | None = None) -> LoginAnswer:
        """Log a device in with its key: what it streams, from which servers, with which ticket.

        A device that starts sends no body and gets the newest version of its image. One that runs
        says which root it runs and gets a new ticket for that, whatever was published since.
        While the farm's database is away the answer comes from the last snapshot and says so.
        """
        device = device_name(name)
        running = None if request is None else request.running
        root = None if running is None else RootHash(running)
        if logins is None:
            return answer(device, key, root)
        if not logins.is_database_away:
            try:
                with logins.watching():
                    return answer(device, key, root)
            except DATABASE_AWAY:
                pass
        return logins.answer_without_database(device, key, running)

    return router
