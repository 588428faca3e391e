"""The farm's API, as a stream process uses it."""

import ssl
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final

import httpx
import structlog
from pydantic import ValidationError

from corral.farm.adapters.logs import REQUEST_ID_HEADER, current_request_id, request_id
from corral.farm.adapters.tls import client_context, distrust
from corral.farm.domain.estate.errors import ServerRemovedError
from corral.farm.entrypoints.stream.urls import ApiUrls
from corral.wire.logins import SignedLogins
from corral.wire.problem import Problem
from corral.wire.server import (
    CertificateRequest,
    ServerCertificate,
    ServerConfiguration,
    ServerFile,
    ServerReport,
)

_SECONDS: Final = httpx.Timeout(5.0, connect=2.0)
_log = structlog.get_logger("corral.stream")


@dataclass
class FarmApi:
    """Asks the farm's URLs in turn, and stays with the one that answers."""

    server_file: ServerFile
    urls: ApiUrls
    _client: httpx.Client = field(init=False)
    _etag: str | None = field(default=None, init=False)
    _logins_etag: str | None = field(default=None, init=False)
    _is_away: bool = field(default=False, init=False)
    dismissal: str = field(default="", init=False)
    """Why the farm wants nothing of this server any more; nothing while it does."""

    def __post_init__(self) -> None:
        headers = {"Authorization": f"Bearer {self.server_file.token}"}
        # No proxy from the environment: it is for people, and would see the token.
        self._client = httpx.Client(
            headers=headers,
            timeout=_SECONDS,
            trust_env=False,
            verify=trust(self.server_file) or True,
        )

    def configuration(self) -> ServerConfiguration | None:
        """Give the configuration if it is another than last time; None also if nobody answers."""
        headers = {} if self._etag is None else {"If-None-Match": self._etag}
        # It joins what a restored farm says to what it has, as an older one would not.
        answer = self._ask("GET", "/v1/server/configuration?observes=true", headers=headers)
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

    def ask_anew(self) -> None:
        """Be given the configuration the next time, whatever was given last."""
        self._etag = None

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

    def certify(self, public_key: str) -> ServerCertificate | None:
        """Get a certificate for a key of this server; None if nobody answers."""
        answer = self._ask(
            "POST",
            "/v1/server/certificate",
            content=CertificateRequest(public_key=public_key).model_dump_json().encode(),
            headers={"Content-Type": "application/json"},
        )
        if answer is None:
            return None
        try:
            return ServerCertificate.model_validate_json(answer.content)
        except ValidationError:
            _log.error("the certificate cannot be read")
            return None

    def close(self) -> None:
        """Give the connections back."""
        self._client.close()

    def _ask(
        self, method: str, path: str, *, headers: dict[str, str], content: bytes | None = None
    ) -> httpx.Response | None:
        reason, dismissal = "no URL is known", ""
        # Of a call that answers a device's login, that login's.
        asked = request_id(current_request_id())
        headers = {**headers, REQUEST_ID_HEADER: asked}
        for url in self.urls.in_turn():
            try:
                answer = self._client.request(method, url + path, headers=headers, content=content)
            except httpx.HTTPError as error:
                reason = f"{url}: {distrust(error) or str(error) or type(error).__name__}"
                continue
            if answer.is_success or answer.status_code == HTTPStatus.NOT_MODIFIED:
                self.urls.note_answer(url)
                self._note(None, asked)
                return answer
            problem = _problem(answer)
            if problem is None:
                reason = f"{url}: status {answer.status_code}"
                continue
            reason = f"{url}: {problem.code}: {problem.detail}"
            if problem.code == ServerRemovedError.code:
                dismissal = problem.detail
        self.dismissal = dismissal
        self._note(reason, asked)
        return None

    def _note(self, reason: str | None, asked: str) -> None:
        """Log the change, not every second of it."""
        if reason is not None and not self._is_away:
            _log.warning(
                "the farm does not answer; the last configuration stays",
                reason=reason,
                request=asked,
            )
        elif reason is None and self._is_away:
            _log.info("the farm answers again", request=asked)
        self._is_away = reason is not None


def trust(server_file: ServerFile) -> ssl.SSLContext | None:
    """Give what https URLs are believed by: the farm's root alone; none where it is not known."""
    root = server_file.certificate_authority
    return client_context(root) if root else None


def _problem(answer: httpx.Response) -> Problem | None:
    try:
        return Problem.model_validate_json(answer.content)
    except ValidationError:
        return None
