"""Devices log in."""

from fastapi import APIRouter

from corral.farm.domain.delivery.device import device_name
from corral.farm.domain.image.root import RootHash
from corral.farm.entrypoints.http.application import Application
from corral.farm.entrypoints.http.bearer import Bearer
from corral.farm.entrypoints.http.permitted import OpenTo, open_to
from corral.wire.login import LoginAnswer, LoginRequest, RankedServer, WriteCache


def routes(application: Application) -> APIRouter:
    """Give the routes."""
    router = APIRouter(prefix="/v1/devices", tags=["devices"])

    @router.post(
        "/{name}/login", operation_id="log_device_in", dependencies=[open_to(OpenTo.DEVICES)]
    )
    def login(name: str, key: Bearer, request: LoginRequest | None = None) -> LoginAnswer:
        """Log a device in with its key: what it streams, from which servers, with which ticket.

        A device that starts sends no body and gets the newest version of its image. One that runs
        says which root it runs and gets a new ticket for that, whatever was published since.
        """
        device = application.recognise_device(device_name(name), key)
        running = None if request is None or request.running is None else RootHash(request.running)
        answer = application.log_device_in(device, running)
        return LoginAnswer(
            device=answer.device.name,
            export=str(answer.version.name),
            root=answer.version.root.hex,
            size_bytes=answer.version.size_bytes,
            ticket=answer.ticket,
            expires_at=int(answer.expires_at.timestamp()),
            write_cache=WriteCache(answer.device.write_cache.value),
            servers=tuple(
                RankedServer(
                    name=server.name,
                    addresses=tuple(str(address) for address in server.advertised),
                )
                for server in answer.servers
            ),
        )

    return router
