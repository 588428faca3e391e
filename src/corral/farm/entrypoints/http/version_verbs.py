"""Versions are replicated and deleted; who may start them is in ``images``."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path, Query

from corral.farm.domain.access.permission import Permission
from corral.farm.domain.estate.server import server_name
from corral.farm.domain.image.image import image_name
from corral.farm.domain.image.version import VersionName, VersionNumber
from corral.farm.entrypoints.http.permitted import Caller, permitted
from corral.wire import verbs as wire

Number = Annotated[int, Path(ge=1)]


def routes() -> APIRouter:
    """Give the routes."""
    router = APIRouter(prefix="/v1/images/{name}/versions/{number}", tags=["images"])

    @router.delete("", operation_id="delete_version")
    def delete(
        name: str,
        number: Number,
        caller: Annotated[Caller, permitted(Permission.VERSION_DELETE)],
        *,
        trust_silence: Annotated[
            bool, Query(description="Take the sessions of silent servers for ended.")
        ] = False,
    ) -> wire.Deleted:
        """Delete a version that nobody streams, and its chunks where no other has them."""
        done = caller.application.delete_version(_named(name, number), trust_silence=trust_silence)
        return wire.Deleted(
            version=str(done.version.name),
            removed_from=tuple(server.name for server in done.removed_from),
            waiting_for=tuple(one.server.name for one in done.waiting_for),
        )

    @router.post("/replicate", operation_id="replicate_version", status_code=HTTPStatus.ACCEPTED)
    def replicate(
        name: str,
        number: Number,
        message: wire.Replication,
        caller: Annotated[Caller, permitted(Permission.REPLICA_CHANGE)],
    ) -> None:
        """Have servers fetch a version; ``GET /v1/replicas`` tells how far each is."""
        to = tuple(map(server_name, message.to))
        caller.application.replicate_version(_named(name, number), to)

    return router


def _named(image: str, number: int) -> VersionName:
    return VersionName(image_name(image), VersionNumber(number))
