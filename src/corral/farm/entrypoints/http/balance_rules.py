"""When the farm moves devices by itself, and how much they are bound to near servers."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Response

from corral.farm.application.set_balance import BalanceWish
from corral.farm.domain.access.permission import Permission
from corral.farm.domain.delivery.ranking import Affinity
from corral.farm.domain.delivery.rebalance import BalanceRules
from corral.farm.domain.estate.collection import collection_name
from corral.farm.domain.image.image import image_name
from corral.farm.entrypoints.http.collections import demand
from corral.farm.entrypoints.http.permitted import Caller, permitted
from corral.farm.entrypoints.http.wishes import Expected, tag
from corral.wire import balance as wire


def rule_routes() -> APIRouter:
    """Give the routes of the rules of balance."""
    router = APIRouter(prefix="/v1/farm/balance", tags=["farm"])

    @router.get("", operation_id="show_balance")
    def show(
        response: Response, caller: Annotated[Caller, permitted(Permission.FARM_READ)]
    ) -> wire.BalanceRules:
        """Say when the farm moves devices by itself."""
        return _shown(caller.application.show_balance(), response)

    @router.patch("", operation_id="change_balance")
    def change(
        message: wire.BalanceEdit,
        expected: Expected,
        response: Response,
        caller: Annotated[Caller, permitted(Permission.FARM_CHANGE)],
    ) -> wire.BalanceRules:
        """Change when it does; a rule that is not named stays."""
        every = message.every_seconds
        wish = BalanceWish(
            is_automatic=message.automatic,
            every=None if every is None else timedelta(seconds=every),
            over_percent=message.over_percent,
            least_devices=message.least_devices,
            booting_percent=message.booting_percent,
        )
        return _shown(caller.application.set_balance(wish, expected), response)

    return router


def affinity_routes() -> APIRouter:
    """Give the routes of how near to their servers devices stay."""
    router = APIRouter(prefix="/v1", tags=["balance"])

    @router.get("/images/{name}/affinity", operation_id="show_image_affinity")
    def show_image(
        name: str, caller: Annotated[Caller, permitted(Permission.IMAGE_READ)]
    ) -> wire.SubnetAffinity:
        """Say how much the devices of an image are bound to servers of their own subnet."""
        return _said(caller.application.show_affinity.of_image(image_name(name)))

    @router.put("/images/{name}/affinity", operation_id="set_image_affinity")
    def set_image(
        name: str,
        message: wire.SubnetAffinity,
        caller: Annotated[Caller, permitted(Permission.IMAGE_CHANGE)],
    ) -> wire.SubnetAffinity:
        """Bind them, from their next login on; null says nothing."""
        caller.application.set_affinity.of_image(image_name(name), _read(message))
        return message

    @router.get("/collections/{name}/affinity", operation_id="show_collection_affinity")
    def show_collection(
        name: str, caller: Annotated[Caller, permitted(Permission.COLLECTION_READ)]
    ) -> wire.SubnetAffinity:
        """Say the same of the devices of a collection, whatever their image says."""
        demand(caller, name)
        return _said(caller.application.show_affinity.of_collection(collection_name(name)))

    @router.put("/collections/{name}/affinity", operation_id="set_collection_affinity")
    def set_collection(
        name: str,
        message: wire.SubnetAffinity,
        caller: Annotated[Caller, permitted(Permission.COLLECTION_CHANGE)],
    ) -> wire.SubnetAffinity:
        """Bind them, from their next login on; null leaves it to their image."""
        demand(caller, name)
        caller.application.set_affinity.of_collection(collection_name(name), _read(message))
        return message

    return router


def _shown(rules: BalanceRules, response: Response) -> wire.BalanceRules:
    tag(response, rules.revision)
    return wire.BalanceRules(
        automatic=rules.is_automatic,
        every_seconds=int(rules.every.total_seconds()),
        over_percent=rules.over_percent,
        least_devices=rules.least_devices,
        booting_percent=rules.booting_percent,
        revision=rules.revision,
    )


def _read(message: wire.SubnetAffinity) -> Affinity | None:
    return None if message.affinity is None else Affinity(message.affinity)


def _said(affinity: Affinity | None) -> wire.SubnetAffinity:
    return wire.SubnetAffinity(affinity=None if affinity is None else affinity.value)
