"""What the command line asks of a running agent, over a unix socket that only the owner opens."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Final

from fastapi import Body, FastAPI
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from corral.engine.domain.errors import (
    DeniedError,
    EngineError,
    EnvironmentFaultError,
    InvalidInputError,
    RefusedError,
    TryAgainError,
    UnknownThingError,
)
from corral.engine.domain.machine.record import Policy
from corral.engine.entrypoints.agent.documents import Document, status_document

if TYPE_CHECKING:
    from fastapi import Request

    from corral.engine.application.wishes import Wishes
    from corral.engine.entrypoints.agent.serve import Agent

STATUS: Final[dict[type[EngineError], HTTPStatus]] = {
    InvalidInputError: HTTPStatus.UNPROCESSABLE_ENTITY,
    UnknownThingError: HTTPStatus.NOT_FOUND,
    RefusedError: HTTPStatus.CONFLICT,
    TryAgainError: HTTPStatus.SERVICE_UNAVAILABLE,
    DeniedError: HTTPStatus.FORBIDDEN,
    EnvironmentFaultError: HTTPStatus.INTERNAL_SERVER_ERROR,
}


class NewMachine(BaseModel):
    """A local machine to be."""

    name: Annotated[str, Field(pattern=r"^[^/@;\s]{1,100}$")]
    size_bytes: Annotated[int, Field(ge=1 << 20)]
    memory_mib: Annotated[int, Field(ge=64)] = 1024
    processors: Annotated[int, Field(ge=1, le=256)] = 1


class Snapshot(BaseModel):
    """The name of a snapshot."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,100}$")]


class Postponement(BaseModel):
    """For how long from now."""

    seconds: Annotated[int, Field(ge=1)]


def control_app(agent: Agent) -> FastAPI:
    """Give the application; each request becomes one call."""
    app = FastAPI(title="corral-engine", docs_url=None, redoc_url=None, openapi_url=None)
    _add_errors(app)
    _add_machines(app, agent.engine.wishes)
    _add_engine(app, agent)
    return app


def _add_errors(app: FastAPI) -> None:
    @app.exception_handler(EngineError)
    def _refused(_request: Request, error: EngineError) -> JSONResponse:
        status = next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)
        return JSONResponse({"code": error.code, "message": error.message}, status)


def _add_machines(app: FastAPI, wishes: Wishes) -> None:
    for verb in (wishes.start, wishes.stop, wishes.suspend, wishes.restart, wishes.remove):
        app.post(f"/machines/{{name}}/{verb.__name__}")(verb)

    @app.post("/machines/{name}/postpone")
    def _postpone(name: str, body: Annotated[Postponement, Body()]) -> None:
        wishes.postpone(name, body.seconds)

    @app.get("/machines/{name}/snapshots")
    def _snapshots(name: str) -> list[str]:
        return list(wishes.snapshots(name))

    @app.post("/machines/{name}/snapshot")
    def _snapshot(name: str, body: Annotated[Snapshot, Body()]) -> None:
        wishes.take_snapshot(name, body.name)

    @app.post("/machines/{name}/revert")
    def _revert(name: str, body: Annotated[Snapshot, Body()]) -> None:
        wishes.revert(name, body.name)

    @app.post("/machines")
    def _create(body: Annotated[NewMachine, Body()]) -> None:
        policy = Policy(memory_mib=body.memory_mib, processors=body.processors)
        wishes.create(body.name, body.size_bytes, policy)


def _add_engine(app: FastAPI, agent: Agent) -> None:
    engine = agent.engine

    @app.get("/status")
    def _status() -> Document:
        return status_document(engine)

    @app.post("/check-in")
    def _check_in() -> None:
        agent.check_in_now()

    @app.post("/pause")
    def _pause() -> None:
        engine.state.set_pausing(pauses=True)
        engine.fetch.look_again()

    @app.post("/resume-fetch")
    def _resume() -> None:
        engine.state.set_pausing(pauses=False)
        engine.wake.set()
