"""Who is calling, and whether the permission table lets them.

A route that people's tools call names its permission in its signature::

    def drain(name: str, caller: Annotated[Caller, permitted(Permission.SERVER_DRAIN)]) -> …:
        caller.application.drain_server(server_name(name))

Servers and devices prove themselves by secrets of their own; their routes, and the few that ask for
nothing, say so with ``open_to``. A route that says neither is not served: ``create_app`` refuses to
begin.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Annotated, Any, cast

from fastapi import APIRouter, Depends, FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.requests import Request

from corral.farm.adapters.logs import current_request_id
from corral.farm.application.recognise_caller import RecognisedCaller
from corral.farm.domain.access.actor import Actor, ActorKind
from corral.farm.domain.access.permission import (
    READ_ONLY,
    Permission,
    Place,
    Rights,
)
from corral.farm.domain.access.token import Token, TokenDigest
from corral.farm.entrypoints.http.application import Application
from corral.farm.entrypoints.http.bearer import bearer


class OpenTo(StrEnum):
    """Who is served without a permission."""

    EVERYBODY = "everybody"
    DEVICES = "devices"
    """With the device's key."""
    SERVERS = "servers"
    """With the server's token."""
    COMPUTERS = "computers"
    """With what the computer's key has signed."""


@dataclass(frozen=True)
class Caller:
    """Somebody whom the table lets do what the route is for."""

    actor: Actor
    rights: Rights
    permission: Permission
    application: Application
    """The verbs, done in the name of the caller."""
    account: RecognisedCaller | None = None
    """The account and the token behind the caller; none behind the farm's reader key."""

    def demand(self, place: Place, permission: Permission | None = None) -> None:
        """Raise ``PermissionMissingError`` unless the caller may do it at ``place``.

        Call it for whatever the path does not name: the site of a new server, the collection that a
        device moves to.
        """
        self.rights.demand(permission or self.permission, place)

    def may(self, permission: Permission, place: Place | None = None) -> bool:
        """Whether the caller may do it at ``place``; without a place, anywhere at all."""
        return self.rights.allow(permission, place)


class Gate:
    """Tells who a caller is by the secret that they show."""

    def __init__(self, application: Application, reader: TokenDigest) -> None:
        self._application = application
        self._reader = reader

    def admitted(self, key: Token, address: str, permission: Permission) -> Caller:
        """Let a caller in.

        Raises ``TokenWrongError``, ``AccessTokenExpiredError``, ``PermissionMissingError``.
        """
        if self._reader.matches(key):
            actor, rights, found = Actor(ActorKind.READER, "", address), READ_ONLY, None
        else:
            found = self._application.recognise_caller(key, address)
            actor, rights = found.actor, found.rights
        rights.demand(permission)
        actor = replace(actor, request=current_request_id())
        return Caller(actor, rights, permission, self._application.acting_as(actor), found)


class Permitted:
    """A dependency that gives the caller if the table lets them."""

    def __init__(self, permission: Permission) -> None:
        self.permission = permission

    def __call__(self, request: Request, key: Annotated[Token, Depends(bearer)]) -> Caller:
        """Let the caller in, or raise what they lack."""
        gate = cast("Gate", request.app.state.gate)
        return gate.admitted(key, address_of(request), self.permission)


class Open:
    """A dependency that only says who a route is open to."""

    def __init__(self, to: OpenTo) -> None:
        self.to = to

    def __call__(self) -> None:
        """Let everybody in: the route looks for itself."""


def permitted(permission: Permission) -> Any:  # noqa: ANN401 - as FastAPI's own ``Depends``
    """Demand a permission; gives the ``Caller``."""
    return Depends(Permitted(permission))


def open_to(who: OpenTo) -> Any:  # noqa: ANN401 - as FastAPI's own ``Depends``
    """Say that a route asks for no permission."""
    return Depends(Open(who))


def address_of(request: Request) -> str:
    """Give where a request comes from."""
    return request.client.host if request.client else ""


class UndeclaredRouteError(TypeError):
    """A route does not say who may call it. A fault of ours, found when the API begins."""


def declared(route: APIRoute) -> Permission | OpenTo:
    """Give what a route demands; raises ``UndeclaredRouteError``."""
    found = set(_declared_in(route.dependant))
    if len(found) != 1:
        message = (
            f"{sorted(route.methods or ())} {route.path} must name one permission: permitted(…),"
            f" or say open_to(…) whom; it has {sorted(found)}"
        )
        raise UndeclaredRouteError(message)
    return found.pop()


def serve_declared(app: FastAPI, gate: Gate, routers: Iterable[APIRouter]) -> None:
    """Serve the routes of ``routers``, all of which must say who may call them."""
    app.state.gate = gate
    app.state.declared = {}
    for router in routers:
        for route in router.routes:
            if not isinstance(route, APIRoute):
                message = f"{route} is no route whose permission could be known"
                raise UndeclaredRouteError(message)
            demanded = declared(route)
            for method in route.methods or ():
                app.state.declared[method, route.path] = demanded
            route.openapi_extra = {
                **(route.openapi_extra or {}),
                "x-corral-permission": (
                    demanded.value
                    if isinstance(demanded, Permission)
                    else f"open to {demanded.value}"
                ),
            }
        app.include_router(router)


def _declared_in(dependant: Dependant) -> Iterator[Permission | OpenTo]:
    match dependant.call:
        case Permitted(permission=permission):
            yield permission
        case Open(to=to):
            yield to
        case _:
            pass
    for below in dependant.dependencies:
        yield from _declared_in(below)
