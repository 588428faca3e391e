"""The running agent, as the command line asks it."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import httpx

from corral.engine.domain.failures import AgentAwayError
from corral.engine.entrypoints.cli.root import AgentSaidNoError, ExitCode

if TYPE_CHECKING:
    from pathlib import Path

_SECONDS: Final = 120.0
_EXITS: Final = {
    HTTPStatus.NOT_FOUND: ExitCode.UNKNOWN,
    HTTPStatus.SERVICE_UNAVAILABLE: ExitCode.TRY_AGAIN,
    HTTPStatus.INTERNAL_SERVER_ERROR: ExitCode.ENVIRONMENT,
}


def ask(state: Path, method: str, path: str, body: dict[str, Any] | None = None) -> Any:  # noqa: ANN401 - a JSON value
    """Ask the agent; raises ``AgentAwayError``, and what the agent refuses."""
    socket = state / "run" / "agent"
    transport = httpx.HTTPTransport(uds=str(socket))
    try:
        with httpx.Client(transport=transport, timeout=_SECONDS, trust_env=False) as client:
            answer = client.request(method, f"http://agent{path}", json=body)
    except httpx.HTTPError:
        raise AgentAwayError(str(state)) from None
    if answer.is_success:
        return answer.json()
    raise _refusal(answer)


def _refusal(answer: httpx.Response) -> AgentSaidNoError:
    try:
        said = answer.json()
        code, message = said["code"], said["message"]
    except (json.JSONDecodeError, KeyError, TypeError):
        if answer.status_code == HTTPStatus.UNPROCESSABLE_ENTITY:
            fields = ", ".join(str(one["loc"][-1]) for one in answer.json()["detail"])
            message = f"what was given for {fields} cannot be right"
            return AgentSaidNoError("usage", message, ExitCode.USAGE)
        return AgentSaidNoError("unexpected", "the agent failed", ExitCode.UNEXPECTED)
    exit_code = _EXITS.get(HTTPStatus(answer.status_code), ExitCode.REFUSED)
    return AgentSaidNoError(code, message, exit_code)
