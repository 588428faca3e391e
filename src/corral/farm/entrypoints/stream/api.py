"""The farm's API, as a stream process uses it."""

from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final

import httpx
import structlog
from pydantic import ValidationError

from corral.wire.logins import SignedLogins
from corral.wire.problem import Problem
from corral.wire.server import ServerConfiguration, ServerFile, ServerReport

_SECONDS: Final = httpx.Timeout(5.0, connect=2.0)
_log = structlog.get_logger("corral.stream")


@dataclass
class FarmApi:
    """Asks the URLs of the server file in turn, and stays with the one that answers."""

    server_file: ServerFile
    _client: httpx.Client = field(init=False)
    _urls: list[str] = field(init=False)
    _etag: str | None = field(default=None, init=False)
    _logins_etag: str | None = field(default=None, init=False)
    _is_away: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        headers = {"Authorization": f"Bearer {self.server_file.token}"}
        # No proxy from the environment: it is for people, and would see the token.
        self._client = httpx.Client(headers=headers, timeout=_SECONDS, trust_env=False)
        self._urls = list(self.server_file.api_urls)

    def configuration(self) -> ServerConfiguration | None:
        """Give the configuration if it is another than last time; None also if nobody answers."""
        headers = {} if self._etag is None else {"If-None-Match": self._etag}
        answer = self._ask("GET", "/v1/server/configuration", headers=headers)
        if answer is None or answer.status_code == HTTPStatus.NOT_MODIFIED:
            return None
        try:
            configuration = ServerConfiguration.model_validate_json(answer.content)
        except ValidationError as error:
            places = [one["loc"] for one in error.errors(include_input=False)]
            _log.error("the configuration cannot be read", at=places)
            return None
        self._etag = answer.headers.get("etag")
        return configuration

    def logins(self) -> SignedLogins | None:
        """Give the snapshot of logins if it is another than last time."""
        headers = {} if self._logins_etag is None else {"If-None-Match": self._logins_etag}
        answer = self._ask("GET", "/v1/server/logins", headers=headers)
        if answer is None or answer.status_code == HTTPStatus.NOT_MODIFIED:
            return None
        try:
            signed = SignedLogins.model_validate_json(answer.content)
        except ValidationError:
            # Not what is wrong with it: it would quote tickets.
            _log.error("the snapshot of logins cannot be read")
            return None
        self._logins_etag = answer.headers.get("etag")
        return signed

    def report(self, report: ServerReport) -> None:
        """Say what this server does; lost without harm if nobody answers."""
        self._ask(
            "POST",
            "/v1/server/report",
            content=report.model_dump_json().encode(),
            headers={"Content-Type": "application/json"},
        )

    def close(self) -> None:
        """Give the connections back."""
        self._client.close()

    def _ask(
        self, method: str, path: str, *, headers: dict[str, str], content: bytes | None = None
    ) -> httpx.Response | None:
        reason = "no URL is known"
        for url in tuple(self._urls):
            try:
                answer = self._client.request(method, url + path, headers=headers, content=content)
            except httpx.HTTPError as error:
                reason = f"{url}: {str(error) or type(error).__name__}"
                continue
            if answer.is_success or answer.status_code == HTTPStatus.NOT_MODIFIED:
                self._urls.remove(url)
                self._urls.insert(0, url)
                self._note(None)
                return answer
            reason = f"{url}: {_sentence(answer)}"
        self._note(reason)
        return None

    def _note(self, reason: str | None) -> None:
        """Log the change, not every second of it."""
        if reason is not None and not self._is_away:
            _log.warning("the farm does not answer; the last configuration stays", reason=reason)
        elif reason is None and self._is_away:
            _log.info("the farm answers again")
        self._is_away = reason is not None


def _sentence(answer: httpx.Response) -> str:
    try:
        problem = Problem.model_validate_json(answer.content)
    except ValidationError:
        return f"status {answer.status_code}"
    return f"{problem.code}: {problem.detail}"
