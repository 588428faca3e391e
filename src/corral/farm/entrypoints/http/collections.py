"""Collections."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Response

from corral.farm.application.add_collection import NewCollection
from corral.farm.application.change_collection import CollectionEdit
from corral.farm.application.list_collections import COLLECTIONS, CollectionView
from corral.farm.application.listing import page_of
from corral.farm.domain.access.permission import Permission, Place
from corral.farm.domain.estate.collection import collection_name
from corral.farm.domain.estate.site import FIRST_SITE, site_name
from corral.farm.entrypoints.http.permitted import Caller, permitted
from corral.farm.entrypoints.http.wishes import Expected, Wished, edit_of, tag
from corral.wire import estate as wire


def routes() -> APIRouter:
    """Give the routes."""
    router = APIRouter(prefix="/v1/collections", tags=["collections"])

    @router.get("", operation_id="list_collections")
    def list_collections(
        wish: Wished, caller: Annotated[Caller, permitted(Permission.COLLECTION_READ)]
    ) -> wire.CollectionList:
        """List the collections; keys are name, site, description, devices."""
        seen = [
            view
            for view in caller.application.list_collections()
            if caller.may(Permission.COLLECTION_READ, _place(view))
        ]
        page = page_of(seen, COLLECTIONS, wish)
        return wire.CollectionList(
            collections=tuple(map(_item, page.items)), total=page.total, next=page.next
        )

    @router.post("", operation_id="add_collection", status_code=HTTPStatus.CREATED)
    def add_collection(
        message: wire.NewCollection,
        response: Response,
        caller: Annotated[Caller, permitted(Permission.COLLECTION_ADD)],
    ) -> wire.CollectionItem:
        """Add a collection to a site."""
        site = None if message.site is None else site_name(message.site)
        _demand_site(caller, message.site)
        made = caller.application.add_collection(
            NewCollection(collection_name(message.name), site, message.description)
        )
        return _shown(caller, made.name, response)

    @router.get("/{name}", operation_id="show_collection")
    def show_collection(
        name: str,
        response: Response,
        caller: Annotated[Caller, permitted(Permission.COLLECTION_READ)],
    ) -> wire.CollectionItem:
        """Show a collection."""
        demand(caller, name)
        return _shown(caller, name, response)

    @router.patch("/{name}", operation_id="change_collection")
    def change_collection(
        name: str,
        message: wire.CollectionEdit,
        expected: Expected,
        response: Response,
        caller: Annotated[Caller, permitted(Permission.COLLECTION_CHANGE)],
    ) -> wire.CollectionItem:
        """Change a collection, or move it to another site; what is not named stays."""
        demand(caller, name)
        if "site" in message.model_fields_set:
            _demand_site(caller, message.site)
        edit = CollectionEdit(
            name=edit_of(message, "name", collection_name),
            description=edit_of(message, "description", str),
            site=edit_of(message, "site", site_name),
        )
        changed = caller.application.change_collection(collection_name(name), edit, expected)
        return _shown(caller, changed.name, response)

    @router.delete("/{name}", operation_id="remove_collection", status_code=HTTPStatus.NO_CONTENT)
    def remove_collection(
        name: str,
        expected: Expected,
        caller: Annotated[Caller, permitted(Permission.COLLECTION_REMOVE)],
    ) -> None:
        """Remove a collection that no device is in any more."""
        demand(caller, name)
        caller.application.remove_collection(collection_name(name), expected)

    return router


def demand(caller: Caller, name: str) -> None:
    """Refuse unless the caller may do it where the collection is."""
    caller.demand(_place(caller.application.show_collection(collection_name(name))))


def _demand_site(caller: Caller, name: str | None) -> None:
    """Demand the same for the site that a collection goes to."""
    if name is None:
        caller.demand(Place(site=FIRST_SITE.id))
    else:
        caller.demand(Place(site=caller.application.show_site(site_name(name)).site.id))


def _shown(caller: Caller, name: str, response: Response) -> wire.CollectionItem:
    view = caller.application.show_collection(collection_name(name))
    tag(response, view.collection.revision)
    return _item(view)


def _place(view: CollectionView) -> Place:
    return Place(view.site.id, view.collection.id)


def _item(view: CollectionView) -> wire.CollectionItem:
    collection = view.collection
    return wire.CollectionItem(
        id=collection.id,
        name=collection.name,
        site=view.site.name,
        description=collection.description,
        devices=view.devices,
        revision=collection.revision,
    )
