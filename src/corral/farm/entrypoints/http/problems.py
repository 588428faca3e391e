"""From an error of the domain to an answer: one table, the only place that knows the statuses."""

from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, Final

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from corral.farm.domain.access.errors import (
    PasswordMustChangeError,
    PersonNeededError,
    SignInTooOftenError,
)
from corral.farm.domain.access.permission import PermissionMissingError
from corral.farm.domain.errors import (
    DamagedError,
    DeniedError,
    DomainError,
    EditConflictError,
    EnvironmentFaultError,
    InvalidInputError,
    RefusedError,
    TakenError,
    TryAgainError,
    UnknownThingError,
)
from corral.farm.domain.image.errors import WorkCancelledError
from corral.wire.problem import Problem

MEDIA_TYPE: Final = "application/problem+json"
RETRY_AFTER_SECONDS: Final = 1

# The row of a class is that of its nearest ancestor; a test demands one for every concrete error.
STATUS: Final[Mapping[type[DomainError], HTTPStatus]] = MappingProxyType(
    {
        InvalidInputError: HTTPStatus.UNPROCESSABLE_ENTITY,
        UnknownThingError: HTTPStatus.NOT_FOUND,
        TakenError: HTTPStatus.CONFLICT,
        RefusedError: HTTPStatus.CONFLICT,
        TryAgainError: HTTPStatus.SERVICE_UNAVAILABLE,
        EditConflictError: HTTPStatus.PRECONDITION_FAILED,
        DamagedError: HTTPStatus.INTERNAL_SERVER_ERROR,
        DeniedError: HTTPStatus.UNAUTHORIZED,
        PermissionMissingError: HTTPStatus.FORBIDDEN,
        PersonNeededError: HTTPStatus.FORBIDDEN,
        PasswordMustChangeError: HTTPStatus.FORBIDDEN,
        SignInTooOftenError: HTTPStatus.TOO_MANY_REQUESTS,
        EnvironmentFaultError: HTTPStatus.SERVICE_UNAVAILABLE,
        WorkCancelledError: HTTPStatus.CONFLICT,
    }
)

# What HTTP itself refuses, before any rule of the farm is asked.
_PROTOCOL_CODES: Final[Mapping[int, str]] = MappingProxyType(
    {
        HTTPStatus.UNAUTHORIZED: "bearer-missing",
        HTTPStatus.NOT_FOUND: "path-unknown",
        HTTPStatus.METHOD_NOT_ALLOWED: "method-not-allowed",
        HTTPStatus.PRECONDITION_REQUIRED: "revision-missing",
    }
)

_log = structlog.get_logger("corral.http")


def status_of(kind: type[DomainError]) -> HTTPStatus | None:
    """Give the status of an error class, if the table has a row for it or an ancestor."""
    for ancestor in kind.__mro__:
        if ancestor in STATUS:
            return STATUS[ancestor]
    return None


def problem(
    status: int, code: str, detail: str, extensions: Mapping[str, Any] | None = None
) -> JSONResponse:
    """Build the answer; ``extensions`` are the error's own fields."""
    body = Problem(
        type=f"urn:corral:problem:{code}",
        title=HTTPStatus(status).phrase,
        status=status,
        code=code,
        detail=detail,
        **(extensions or {}),
    )
    headers: dict[str, str] = {}
    if status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = 'Bearer realm="corral"'
    if status in (HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS):
        headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return JSONResponse(body.model_dump(mode="json"), status, headers, MEDIA_TYPE)


def answer_with_problems(app: FastAPI) -> None:
    """Make every error of ``app`` a problem, those of FastAPI among them."""
    app.add_exception_handler(DomainError, _domain)
    app.add_exception_handler(HTTPException, _protocol)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(Exception, _unexpected)


def _domain(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, DomainError):
        raise error
    status = status_of(type(error)) or HTTPStatus.INTERNAL_SERVER_ERROR
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        _log.warning("refused", path=request.url.path, code=error.code, detail=error.message)
    return problem(status, error.code, error.message)


def _protocol(_request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, HTTPException):
        raise error
    code = _PROTOCOL_CODES.get(error.status_code, "request-refused")
    return problem(error.status_code, code, str(error.detail))


def _invalid(_request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, RequestValidationError):
        raise error
    # Where and what, never the value: a value may be a secret that stands in the wrong field.
    places = [{"at": "/".join(map(str, one["loc"])), "rule": one["msg"]} for one in error.errors()]
    detail = "the request is not as the API's description says: " + "; ".join(
        f"{place['at']}: {place['rule']}" for place in places[:5]
    )
    status = STATUS[InvalidInputError]
    return problem(status, "request-invalid", detail, {"errors": places})


def _unexpected(request: Request, error: Exception) -> JSONResponse:
    _log.error("unexpected error", path=request.url.path, exc_info=error)
    detail = "the server met an error that it does not know; its log says more"
    return problem(HTTPStatus.INTERNAL_SERVER_ERROR, "internal", detail)
