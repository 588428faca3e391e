"""Which computers were given which kit: one relation, from either side."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter

from corral.farm.application.assign_kit import ComputerKitView, KitComputerView
from corral.farm.domain.access.permission import Permission, Place
from corral.farm.domain.computer.computer import ComputerName, computer_name
from corral.farm.domain.library.item import item_name
from corral.farm.entrypoints.http.permitted import Caller, permitted
from corral.wire import rollout as wire

Reader = Annotated[Caller, permitted(Permission.COMPUTER_READ)]
Giver = Annotated[Caller, permitted(Permission.COMPUTER_UPGRADE)]


def kit_routes() -> APIRouter:
    """Give the routes below a kit."""
    router = APIRouter(prefix="/v1/library", tags=["library"])

    @router.get("/{name}/computers", operation_id="list_kit_computers")
    def computers(
        name: str, caller: Annotated[Caller, permitted(Permission.LIBRARY_READ)]
    ) -> wire.KitComputers:
        """List every computer that the caller may see beside a kit, and how far it is with it."""
        kit = item_name(name)
        places = _places(caller)
        return wire.KitComputers(
            kit=kit,
            computers=tuple(
                _computer(one)
                for one in caller.application.list_kit_computers(kit)
                if caller.may(Permission.COMPUTER_READ, places.get(one.computer.name))
            ),
        )

    @router.post("/{name}/assign", operation_id="assign_kit", status_code=HTTPStatus.NO_CONTENT)
    def assign(name: str, message: wire.KitReceivers, caller: Giver) -> None:
        """Give computers a kit: all of them, or none if one of them could not follow."""
        caller.application.assign_kit(item_name(name), _demanded(caller, message.computers))

    @router.post("/{name}/unassign", operation_id="unassign_kit", status_code=HTTPStatus.NO_CONTENT)
    def unassign(name: str, message: wire.KitReceivers, caller: Giver) -> None:
        """Take a kit away from computers; what they run they go on running."""
        caller.application.unassign_kit(item_name(name), _demanded(caller, message.computers))

    @router.post("/{name}/retry", operation_id="retry_kit", status_code=HTTPStatus.NO_CONTENT)
    def retry(name: str, message: wire.KitRetry, caller: Giver) -> None:
        """Have a computer try again what failed there, or from which it went back."""
        (computer,) = _demanded(caller, (message.computer,))
        caller.application.retry_kit(item_name(name), computer)

    return router


def computer_routes() -> APIRouter:
    """Give the routes below a computer."""
    router = APIRouter(prefix="/v1/computers", tags=["computers"])

    @router.get("/{name}/kits", operation_id="list_computer_kits")
    def kits(name: str, caller: Reader) -> wire.ComputerKits:
        """List every kit of the engine beside a computer."""
        (computer,) = _demanded(caller, (name,))
        found = caller.application.list_computer_kits(computer)
        return wire.ComputerKits(computer=computer, kits=tuple(map(_kit, found)))

    return router


def _places(caller: Caller) -> dict[ComputerName, Place]:
    return {
        one.computer.name: Place(one.site.id, one.collection.id)
        for one in caller.application.list_computers()
    }


def _demanded(caller: Caller, names: tuple[str, ...]) -> tuple[ComputerName, ...]:
    """Read names of computers, each of which the caller must have in a place of theirs."""
    found = tuple(map(computer_name, names))
    for name in found:
        view = caller.application.show_computer(name)
        caller.demand(Place(view.site.id, view.collection.id))
    return found


def _computer(of: KitComputerView) -> wire.KitComputer:
    upgrade = of.upgrade
    return wire.KitComputer(
        computer=of.computer.name,
        assigned=of.assignment is not None,
        running=None if of.said is None else of.said.engine.release,
        upgrade=upgrade.upgrade.value,
        detail=upgrade.detail,
        seen_at=upgrade.since,
        done_bytes=upgrade.done_bytes,
        total_bytes=upgrade.total_bytes,
        code=upgrade.code,
        text=upgrade.text,
    )


def _kit(of: ComputerKitView) -> wire.ComputerKit:
    upgrade = of.upgrade
    return wire.ComputerKit(
        kit=of.item.name,
        release="" if of.item.kit is None else str(of.item.kit.manifest.release),
        assigned=of.assignment is not None,
        upgrade=upgrade.upgrade.value,
        detail=upgrade.detail,
        code=upgrade.code,
        text=upgrade.text,
    )
