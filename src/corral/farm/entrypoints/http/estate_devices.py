"""Devices, as people administer them; how they log in is in ``devices``."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Response

from corral.farm.application.change_device import DeviceEdit
from corral.farm.application.import_devices import DeviceImport
from corral.farm.application.list_devices import DEVICES, DeviceView
from corral.farm.application.listing import page_of
from corral.farm.application.register_device import NewPlace
from corral.farm.domain.access.permission import EVERYWHERE, Permission, Place
from corral.farm.domain.delivery.device import MacAddress, device_name, device_type
from corral.farm.domain.delivery.device_series import DeviceSeries
from corral.farm.domain.estate.collection import FIRST_COLLECTION, collection_name
from corral.farm.domain.image.image import image_name
from corral.farm.entrypoints.http.permitted import Caller, permitted
from corral.farm.entrypoints.http.wishes import Expected, Wished, edit_of, or_none, tag
from corral.wire import estate as wire


def routes() -> APIRouter:
    """Give the routes."""
    router = APIRouter(prefix="/v1/devices", tags=["devices"])
    _reading(router)
    _registering(router)
    _changing(router)
    return router


def _reading(router: APIRouter) -> None:
    @router.get("", operation_id="list_devices")
    def list_devices(
        wish: Wished, caller: Annotated[Caller, permitted(Permission.DEVICE_READ)]
    ) -> wire.DeviceList:
        """List the devices, and what each would start from now.

        Keys are name, mac, collection, site, type, disabled, image, version, description,
        registered, last-login.
        """
        seen = [
            view
            for view in caller.application.list_devices()
            if caller.may(Permission.DEVICE_READ, _place(view))
        ]
        page = page_of(seen, DEVICES, wish)
        return wire.DeviceList(
            devices=tuple(map(_item, page.items)), total=page.total, next=page.next
        )

    @router.get("/{name}", operation_id="show_device")
    def show_device(
        name: str, response: Response, caller: Annotated[Caller, permitted(Permission.DEVICE_READ)]
    ) -> wire.DeviceItem:
        """Show a device."""
        demand(caller, name)
        return shown(caller, name, response)


def _registering(router: APIRouter) -> None:
    @router.post("", operation_id="register_device", status_code=HTTPStatus.CREATED)
    def register_device(
        message: wire.NewDevice,
        response: Response,
        caller: Annotated[Caller, permitted(Permission.DEVICE_ADD)],
    ) -> wire.RegisteredDevice:
        """Register a device; its key is told in the answer, and never again."""
        _demand_collection(caller, message.collection)
        registered = caller.application.register_device(
            device_name(message.name),
            MacAddress.parse(message.mac),
            or_none(image_name)(message.image),
            None,
            NewPlace(
                collection=or_none(collection_name)(message.collection),
                type=device_type(message.type),
                description=message.description,
            ),
        )
        item = shown(caller, registered.device.name, response)
        return wire.RegisteredDevice(device=item, key=registered.key.reveal())

    @router.post("/import", operation_id="import_devices")
    def import_devices(
        message: wire.DeviceTable, caller: Annotated[Caller, permitted(Permission.DEVICE_ADD)]
    ) -> wire.ImportedDevices:
        """Register the devices of a table (CSV), all of them or none.

        Its lines may name any collection, so that this needs a role over the farm.
        """
        caller.demand(EVERYWHERE)
        done = caller.application.import_devices(message.table, is_trial=message.dry_run)
        return _imported(done)

    @router.post("/series", operation_id="add_device_series")
    def add_series(
        message: wire.NewDeviceSeries, caller: Annotated[Caller, permitted(Permission.DEVICE_ADD)]
    ) -> wire.ImportedDevices:
        """Register devices whose names and network cards count, all of them or none."""
        _demand_collection(caller, message.collection)
        done = caller.application.import_devices.series(
            DeviceSeries.parse(message.names),
            MacAddress.parse(message.first_mac),
            or_none(image_name)(message.image),
            NewPlace(
                collection=or_none(collection_name)(message.collection),
                type=device_type(message.type),
                description=message.description,
            ),
            is_trial=message.dry_run,
        )
        return _imported(done)


def _imported(done: DeviceImport) -> wire.ImportedDevices:
    return wire.ImportedDevices(
        lines=len(done.rows),
        registered=tuple(
            wire.DeviceKey(name=one.device.name, key=one.key.reveal()) for one in done.registered
        ),
        bad=tuple(
            wire.BadLine(
                line=bad.line, name=bad.name, code=bad.error.code, message=bad.error.message
            )
            for bad in done.bad
        ),
    )


def _changing(router: APIRouter) -> None:
    @router.patch("/{name}", operation_id="change_device")
    def change_device(
        name: str,
        message: wire.DeviceEdit,
        expected: Expected,
        response: Response,
        caller: Annotated[Caller, permitted(Permission.DEVICE_CHANGE)],
    ) -> wire.DeviceItem:
        """Change a device, move, disable or enable it; what is not named stays."""
        demand(caller, name)
        if "collection" in message.model_fields_set:
            _demand_collection(caller, message.collection)
        edit = DeviceEdit(
            mac=edit_of(message, "mac", MacAddress.parse),
            collection=edit_of(message, "collection", collection_name),
            type=edit_of(message, "type", device_type),
            disabled=edit_of(message, "disabled", bool),
            description=edit_of(message, "description", str),
        )
        caller.application.change_device(device_name(name), edit, expected)
        return shown(caller, name, response)

    @router.delete("/{name}", operation_id="remove_device", status_code=HTTPStatus.NO_CONTENT)
    def remove_device(
        name: str,
        expected: Expected,
        caller: Annotated[Caller, permitted(Permission.DEVICE_REMOVE)],
    ) -> None:
        """Remove a device that streams nothing."""
        demand(caller, name)
        caller.application.remove_device(device_name(name), expected)


def demand(caller: Caller, name: str) -> None:
    """Refuse unless the caller may do it where the thing is."""
    caller.demand(_place(caller.application.show_device(device_name(name))))


def _demand_collection(caller: Caller, name: str | None) -> None:
    """Demand the same for the collection that a device goes to."""
    wanted = collection_name(name) if name is not None else None
    for view in caller.application.list_collections():
        if view.collection.name == wanted or (
            wanted is None and view.collection.id == FIRST_COLLECTION.id
        ):
            caller.demand(Place(view.site.id, view.collection.id))


def shown(caller: Caller, name: str, response: Response) -> wire.DeviceItem:
    """Show it as it is now."""
    view = caller.application.show_device(device_name(name))
    tag(response, view.device.revision)
    return _item(view)


def _place(view: DeviceView) -> Place:
    return Place(view.site.id, view.collection.id)


def _item(view: DeviceView) -> wire.DeviceItem:
    device = view.device
    return wire.DeviceItem(
        id=device.id,
        name=device.name,
        mac=str(device.mac),
        collection=view.collection.name,
        site=view.site.name,
        type=device.type.value,
        disabled=device.disabled,
        description=device.description,
        image=view.image,
        version=None if view.version is None else str(view.version),
        registered_at=_seconds(device.registered_at),
        last_login_at=None if device.last_login is None else _seconds(device.last_login.at),
        revision=device.revision,
    )


def _seconds(moment: datetime) -> int:
    return int(moment.timestamp())
