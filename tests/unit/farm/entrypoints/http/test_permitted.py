from typing import TYPE_CHECKING, Annotated, cast

import pytest
from fastapi import APIRouter, FastAPI

from corral.farm.domain.access.permission import Permission
from corral.farm.domain.access.token import TokenDigest
from corral.farm.entrypoints.http.permitted import (
    Caller,
    Gate,
    OpenTo,
    UndeclaredRouteError,
    open_to,
    permitted,
    serve_declared,
)

if TYPE_CHECKING:
    from corral.farm.entrypoints.http.application import Application


def serve(router: APIRouter) -> FastAPI:
    app = FastAPI()
    # No route is called.
    serve_declared(app, Gate(cast("Application", None), TokenDigest(b"")), [router])
    return app


def test_a_route_that_says_nothing_is_not_served() -> None:
    router = APIRouter()
    router.get("/forgotten")(lambda: None)
    with pytest.raises(UndeclaredRouteError, match="/forgotten"):
        serve(router)


def test_a_route_that_says_two_things_is_not_served() -> None:
    router = APIRouter(dependencies=[open_to(OpenTo.EVERYBODY)])

    @router.get("/both")
    def both(caller: Annotated[Caller, permitted(Permission.FARM_READ)]) -> None:
        del caller

    with pytest.raises(UndeclaredRouteError, match=r"farm\.read"):
        serve(router)


def test_what_a_route_demands_stands_in_the_description() -> None:
    router = APIRouter()

    @router.get("/one")
    def one(caller: Annotated[Caller, permitted(Permission.FARM_READ)]) -> None:
        del caller

    description = serve(router).openapi()
    assert description["paths"]["/one"]["get"]["x-corral-permission"] == "farm.read"
