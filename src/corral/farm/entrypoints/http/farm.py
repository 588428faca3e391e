"""The farm itself."""

import base64
from typing import Annotated

from fastapi import APIRouter

from corral.farm.domain.access.permission import Permission
from corral.farm.entrypoints.http.permitted import Caller, permitted
from corral.wire import verbs as wire


def routes() -> APIRouter:
    """Give the routes."""
    router = APIRouter(prefix="/v1/farm", tags=["farm"])

    @router.get("", operation_id="show_farm")
    def show(caller: Annotated[Caller, permitted(Permission.FARM_READ)]) -> wire.FarmFacts:
        """Show the farm's own facts, and how much of everything it has."""
        summary = caller.application.show_farm()
        farm = summary.farm
        return wire.FarmFacts(
            name=farm.name,
            id=str(farm.id),
            public_key=base64.b64encode(farm.public_key).decode("ascii"),
            api_urls=farm.api_urls,
            created_at=int(farm.created_at.timestamp()),
            generation=farm.generation,
            servers=summary.servers,
            images=summary.images,
            devices=summary.devices,
        )

    return router
