"""Stores. They are the farm's own: a role over a site reads those that its servers keep."""

from http import HTTPStatus
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Response

from corral.farm.application.add_store import NewStore
from corral.farm.application.change_store import StoreEdit
from corral.farm.application.list_stores import STORES, StoreView
from corral.farm.application.listing import page_of
from corral.farm.domain.access.permission import EVERYWHERE, Permission, Place
from corral.farm.domain.estate.store import StorePathInvalidError, store_name
from corral.farm.entrypoints.http.permitted import Caller, permitted
from corral.farm.entrypoints.http.scrubs import policy_of
from corral.farm.entrypoints.http.wishes import Expected, Wished, edit_of, or_none, tag
from corral.wire import estate as wire


def routes() -> APIRouter:
    """Give the routes."""
    router = APIRouter(prefix="/v1/stores", tags=["stores"])

    @router.get("", operation_id="list_stores")
    def list_stores(
        wish: Wished, caller: Annotated[Caller, permitted(Permission.STORE_READ)]
    ) -> wire.StoreList:
        """List the stores; keys are name, description, path, shared, server, servers."""
        seen = [view for view in caller.application.list_stores() if _may_read(caller, view)]
        page = page_of(seen, STORES, wish)
        return wire.StoreList(
            stores=tuple(map(_item, page.items)), total=page.total, next=page.next
        )

    @router.post("", operation_id="add_store", status_code=HTTPStatus.CREATED)
    def add_store(
        message: wire.NewStore,
        response: Response,
        caller: Annotated[Caller, permitted(Permission.STORE_ADD)],
    ) -> wire.StoreItem:
        """Add a store that servers are to keep together."""
        caller.demand(EVERYWHERE)
        store = caller.application.add_store(
            NewStore(
                name=store_name(message.name),
                description=message.description,
                default_path=or_none(_path)(message.default_path),
                shared=message.shared,
            )
        )
        tag(response, store.revision)
        return _item(StoreView(store, ()))

    @router.get("/{name}", operation_id="show_store")
    def show_store(
        name: str, response: Response, caller: Annotated[Caller, permitted(Permission.STORE_READ)]
    ) -> wire.StoreItem:
        """Show a store and who keeps it."""
        view = caller.application.show_store(store_name(name))
        if not _may_read(caller, view):
            caller.demand(EVERYWHERE)
        tag(response, view.store.revision)
        return _item(view)

    @router.patch("/{name}", operation_id="change_store")
    def change_store(
        name: str,
        message: wire.StoreEdit,
        expected: Expected,
        response: Response,
        caller: Annotated[Caller, permitted(Permission.STORE_CHANGE)],
    ) -> wire.StoreItem:
        """Change a store; what is not named stays, and no chunk is moved."""
        caller.demand(EVERYWHERE)
        edit = StoreEdit(
            name=edit_of(message, "name", store_name),
            description=edit_of(message, "description", str),
            default_path=edit_of(message, "default_path", or_none(_path)),
            shared=edit_of(message, "shared", bool),
        )
        store = caller.application.change_store(store_name(name), edit, expected)
        view = caller.application.show_store(store.name)
        tag(response, view.store.revision)
        return _item(view)

    @router.delete("/{name}", operation_id="remove_store", status_code=HTTPStatus.NO_CONTENT)
    def remove_store(
        name: str,
        expected: Expected,
        caller: Annotated[Caller, permitted(Permission.STORE_REMOVE)],
    ) -> None:
        """Remove a store that no server keeps any more."""
        caller.demand(EVERYWHERE)
        caller.application.remove_store(store_name(name), expected)

    return router


def _path(text: str) -> Path:
    path = Path(text)
    if not path.is_absolute():
        raise StorePathInvalidError(text)
    return path


def _may_read(caller: Caller, view: StoreView) -> bool:
    places = [EVERYWHERE, *(Place(site=server.site_id) for server in view.servers)]
    return any(caller.may(Permission.STORE_READ, place) for place in places)


def _item(view: StoreView) -> wire.StoreItem:
    store = view.store
    return wire.StoreItem(
        id=store.id,
        name=store.name,
        description=store.description,
        default_path=None if store.default_path is None else str(store.default_path),
        shared=store.shared,
        copies=store.copies,
        scrub=policy_of(store.scrub),
        servers=tuple(
            wire.StoreKeeper(
                server=server.name, path=str(server.store.path), folder=server.store.id
            )
            for server in view.servers
        ),
        revision=store.revision,
    )
