"""The farm itself."""

import base64
from typing import Annotated

from fastapi import APIRouter, Response

from corral.farm.application.change_farm import FarmEdit
from corral.farm.application.show_farm import FarmSummary
from corral.farm.domain.access.permission import Permission
from corral.farm.domain.estate.farm import checked_api_urls, farm_name
from corral.farm.entrypoints.http.permitted import Caller, permitted
from corral.farm.entrypoints.http.wishes import Expected, edit_of, tag
from corral.wire import verbs as wire


def routes() -> APIRouter:
    """Give the routes."""
    router = APIRouter(prefix="/v1/farm", tags=["farm"])

    @router.get("", operation_id="show_farm")
    def show(
        response: Response, caller: Annotated[Caller, permitted(Permission.FARM_READ)]
    ) -> wire.FarmFacts:
        """Show the farm's own facts, and how much of everything it has."""
        summary = caller.application.show_farm()
        tag(response, summary.farm.revision)
        return _facts(summary)

    @router.patch("", operation_id="change_farm")
    def change(
        message: wire.FarmEdit,
        expected: Expected,
        response: Response,
        caller: Annotated[Caller, permitted(Permission.FARM_CHANGE)],
    ) -> wire.FarmFacts:
        """Change the farm's name, or where its API is reached; what is not named stays.

        Servers learn of other URLs by themselves, devices do not.
        """
        edit = FarmEdit(
            name=edit_of(message, "name", farm_name),
            api_urls=edit_of(message, "api_urls", checked_api_urls),
        )
        caller.application.change_farm(edit, expected)
        summary = caller.application.show_farm()
        tag(response, summary.farm.revision)
        return _facts(summary)

    @router.get("/certificates", operation_id="show_certificates")
    def certificates(
        caller: Annotated[Caller, permitted(Permission.FARM_READ)],
    ) -> wire.Certificates:
        """Show the farm's root certificate, and until when the farm's processes have theirs."""
        shown = caller.application.show_certificates()
        return wire.Certificates(
            root=shown.root,
            api=(
                None
                if shown.api is None
                else wire.ApiCertificate(
                    hosts=shown.api.hosts, ends_at=int(shown.api.ends_at.timestamp())
                )
            ),
            servers=tuple(
                wire.KnownCertificate(
                    server=one.server,
                    hosts=one.hosts,
                    ends_at=None if one.ends_at is None else int(one.ends_at.timestamp()),
                    requires_tls=one.requires_tls,
                )
                for one in shown.servers
            ),
        )

    return router


def _facts(summary: FarmSummary) -> wire.FarmFacts:
    farm = summary.farm
    return wire.FarmFacts(
        name=farm.name,
        id=str(farm.id),
        public_key=base64.b64encode(farm.public_key).decode("ascii"),
        api_urls=farm.api_urls,
        former_api_urls=farm.former_api_urls,
        created_at=int(farm.created_at.timestamp()),
        generation=farm.generation,
        revision=farm.revision,
        servers=summary.servers,
        images=summary.images,
        devices=summary.devices,
    )
