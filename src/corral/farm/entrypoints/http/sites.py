"""Sites."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Response

from corral.farm.application.add_site import NewSite
from corral.farm.application.change_site import SiteEdit
from corral.farm.application.list_sites import SITES, SiteView
from corral.farm.application.listing import page_of
from corral.farm.domain.access.permission import Permission, Place
from corral.farm.domain.estate.site import site_name
from corral.farm.domain.estate.subnet import parse_subnets
from corral.farm.entrypoints.http.permitted import Caller, permitted
from corral.farm.entrypoints.http.wishes import Expected, Wished, edit_of, tag
from corral.wire import estate as wire


def routes() -> APIRouter:
    """Give the routes."""
    router = APIRouter(prefix="/v1/sites", tags=["sites"])

    @router.get("", operation_id="list_sites")
    def list_sites(
        wish: Wished, caller: Annotated[Caller, permitted(Permission.SITE_READ)]
    ) -> wire.SiteList:
        """List the sites; keys are name, description, subnet, servers, collections, devices."""
        seen = [
            view
            for view in caller.application.list_sites()
            if caller.may(Permission.SITE_READ, _place(view))
        ]
        page = page_of(seen, SITES, wish)
        return wire.SiteList(sites=tuple(map(_item, page.items)), total=page.total, next=page.next)

    @router.post("", operation_id="add_site", status_code=HTTPStatus.CREATED)
    def add_site(
        message: wire.NewSite,
        response: Response,
        caller: Annotated[Caller, permitted(Permission.SITE_ADD)],
    ) -> wire.SiteItem:
        """Add a site."""
        site = caller.application.add_site(
            NewSite(site_name(message.name), message.description, parse_subnets(message.subnets))
        )
        tag(response, site.revision)
        return _item(SiteView(site, servers=0, collections=0, devices=0))

    @router.get("/{name}", operation_id="show_site")
    def show_site(
        name: str, response: Response, caller: Annotated[Caller, permitted(Permission.SITE_READ)]
    ) -> wire.SiteItem:
        """Show a site."""
        view = caller.application.show_site(site_name(name))
        caller.demand(_place(view))
        tag(response, view.site.revision)
        return _item(view)

    @router.patch("/{name}", operation_id="change_site")
    def change_site(
        name: str,
        message: wire.SiteEdit,
        expected: Expected,
        response: Response,
        caller: Annotated[Caller, permitted(Permission.SITE_CHANGE)],
    ) -> wire.SiteItem:
        """Change a site; what is not named stays."""
        caller.demand(_place(caller.application.show_site(site_name(name))))
        edit = SiteEdit(
            name=edit_of(message, "name", site_name),
            description=edit_of(message, "description", str),
            subnets=edit_of(message, "subnets", parse_subnets),
        )
        site = caller.application.change_site(site_name(name), edit, expected)
        view = caller.application.show_site(site.name)
        tag(response, view.site.revision)
        return _item(view)

    @router.delete("/{name}", operation_id="remove_site", status_code=HTTPStatus.NO_CONTENT)
    def remove_site(
        name: str,
        expected: Expected,
        caller: Annotated[Caller, permitted(Permission.SITE_REMOVE)],
    ) -> None:
        """Remove a site that nothing belongs to any more."""
        caller.application.remove_site(site_name(name), expected)

    return router


def _place(view: SiteView) -> Place:
    return Place(site=view.site.id)


def _item(view: SiteView) -> wire.SiteItem:
    site = view.site
    return wire.SiteItem(
        id=site.id,
        name=site.name,
        description=site.description,
        subnets=tuple(map(str, site.subnets)),
        line=wire.SiteLine(
            rate=site.bandwidth.rate,
            windows=tuple(
                wire.LineWindow(between=str(one), rate=one.rate) for one in site.bandwidth.windows
            ),
            zone=site.bandwidth.zone,
        ),
        servers=view.servers,
        collections=view.collections,
        devices=view.devices,
        revision=site.revision,
    )
