"""What a device starts from."""

from typing import Annotated

from fastapi import APIRouter, Response

from corral.farm.domain.access.permission import Permission
from corral.farm.domain.delivery.device import device_name
from corral.farm.domain.image.image import image_name
from corral.farm.entrypoints.http.estate_devices import demand, shown
from corral.farm.entrypoints.http.permitted import Caller, permitted
from corral.wire import estate
from corral.wire import verbs as wire


def routes() -> APIRouter:
    """Give the routes."""
    router = APIRouter(prefix="/v1/devices", tags=["devices"])

    @router.put("/{name}/image", operation_id="assign_device")
    def assign(
        name: str,
        message: wire.Assignment,
        response: Response,
        caller: Annotated[Caller, permitted(Permission.DEVICE_ASSIGN)],
    ) -> estate.DeviceItem:
        """Assign an image to a device, from its next start on."""
        demand(caller, name)
        caller.application.assign_device(device_name(name), image_name(message.image))
        return shown(caller, name, response)

    @router.delete("/{name}/image", operation_id="unassign_device")
    def unassign(
        name: str,
        response: Response,
        caller: Annotated[Caller, permitted(Permission.DEVICE_ASSIGN)],
    ) -> estate.DeviceItem:
        """Take the image of a device from it; what it runs goes on."""
        demand(caller, name)
        caller.application.unassign_device(device_name(name))
        return shown(caller, name, response)

    return router
