"""The farm's API over HTTP, as an engine uses it."""

from __future__ import annotations

import base64
import ssl
from contextlib import suppress
from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from corral.engine.adapters.messages import check_in, engine_facts, place_of, read_orders
from corral.engine.domain.failures import (
    AuthorityUnusableError,
    FarmRefusedError,
    FarmUnintelligibleError,
    FarmUnreachableError,
    FarmUrlInvalidError,
)
from corral.wire import engine as wire
from corral.wire.problem import Problem
from corral.wire.relay import KEPT, RELAYED_HEADER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from corral.engine.adapters.identity import FileIdentity
    from corral.engine.application.ports import (
        AskedRegistration,
        Clock,
        Facts,
        FarmPlace,
        GivenOrders,
        Status,
    )
    from corral.engine.domain.moment import Moment

_SECONDS: Final = httpx.Timeout(15.0, connect=5.0)
_SIGNAL_SECONDS: Final = httpx.Timeout(90.0, connect=5.0)
_MAXIMUM_ANSWER: Final = 8 << 20
_SERVER_FAULTS: Final = 500
_BACK_AFTER_SECONDS: Final = 60.0
"""To ask one that is away takes seconds."""
_Answer = TypeVar("_Answer", bound=BaseModel)


class HttpFarm:
    """Asks the farm's addresses in turn, the best first: a relay before what lies behind it.

    Where another one had to answer, it stays with that for a while.
    """

    def __init__(self, identity: FileIdentity, clock: Clock) -> None:
        self._identity = identity
        self._clock = clock
        self._clients: dict[str, httpx.Client] = {}
        self._first = ""
        self._is_kept = False
        self._asked: tuple[str, ...] = ()
        self._stays_since: Moment | None = None

    def register(self, asked: AskedRegistration, facts: Facts) -> FarmPlace:
        """Register this computer; repeating it changes nothing."""
        registration = wire.Registration(
            name=asked.name,
            public_key=base64.b64encode(self._identity.public_key()).decode(),
            code=asked.code,
            engine=engine_facts(facts),
        )
        text = registration.model_dump_json()
        signature = self._signed(wire.registration_message(text))
        body = wire.SignedRegistration(registration=text, signature=signature)
        answer = self._ask(
            "POST",
            (asked.url,),
            "/v1/computers/register",
            wire.RegistrationAnswer,
            body=body,
            authority=asked.authority,
        )
        return place_of(answer, asked)

    def check_in(self, place: FarmPlace, status: Status, sequence: int) -> GivenOrders:
        """Say what is, and hear what should be."""
        signed = self._check_in(place, status, sequence, erased=False)
        try:
            given = read_orders(signed, place.farm_public_key)
        except ValidationError as error:
            raise FarmUnintelligibleError(self._first, _places(error)) from None
        return replace(given, is_kept=self._is_kept)

    def say_erased(self, place: FarmPlace, status: Status, sequence: int) -> None:
        """Say that this computer has erased itself."""
        self._check_in(place, status, sequence, erased=True)

    def wait_for_signal(self, place: FarmPlace, generation: int) -> bool:
        """Wait until there are newer orders; False if the wait ended without."""
        answer = self._ask(
            "GET",
            place.api_urls,
            f"/v1/computers/{place.computer}/signal?generation={generation}",
            wire.Signal,
            authority=place.certificate_authority,
            seconds=_SIGNAL_SECONDS,
        )
        return answer.generation > generation

    def close(self) -> None:
        """End every connection."""
        for client in self._clients.values():
            client.close()
        self._clients.clear()

    def _check_in(
        self, place: FarmPlace, status: Status, sequence: int, *, erased: bool
    ) -> wire.SignedOrders:
        said = check_in(place, status, sequence, self._clock.wall(), erased=erased)
        text = said.model_dump_json()
        body = wire.SignedCheckIn(
            check_in=text, signature=self._signed(wire.check_in_message(text))
        )
        return self._ask(
            "POST",
            place.api_urls,
            f"/v1/computers/{place.computer}/check-in",
            wire.SignedOrders,
            body=body,
            authority=place.certificate_authority,
        )

    def _signed(self, message: bytes) -> str:
        return base64.b64encode(self._identity.sign(message)).decode()

    def _ask(  # noqa: PLR0913 - one request has that many parts
        self,
        method: str,
        urls: Sequence[str],
        path: str,
        answer: type[_Answer],
        *,
        body: BaseModel | None = None,
        authority: str = "",
        seconds: httpx.Timeout = _SECONDS,
    ) -> _Answer:
        """Ask one address after the other until one answers; what it refuses is final."""
        content = None if body is None else body.model_dump_json().encode()
        reason = "it has no address"
        for url in self._in_turn(urls):
            try:
                got = self._client(authority).request(
                    method,
                    url.rstrip("/") + path,
                    content=content,
                    headers={"Content-Type": "application/json"},
                    timeout=seconds,
                )
            except (httpx.UnsupportedProtocol, httpx.InvalidURL):
                raise FarmUrlInvalidError(url) from None
            except httpx.HTTPError as error:
                reason = f"{url}: {_why(error, authority)}"
                continue
            if got.status_code >= _SERVER_FAULTS:
                reason = f"{url}: {_refusal(got)[1]}"
                continue
            self._note_answer(url)
            self._is_kept = got.headers.get(RELAYED_HEADER, "").startswith(KEPT)
            if got.status_code >= HTTPStatus.BAD_REQUEST:
                raise FarmRefusedError(*_refusal(got))
            try:
                return answer.model_validate_json(got.content[:_MAXIMUM_ANSWER])
            except ValidationError as error:
                raise FarmUnintelligibleError(url, _places(error)) from None
        raise FarmUnreachableError(reason)

    def _in_turn(self, urls: Sequence[str]) -> Sequence[str]:
        if tuple(urls) != self._asked:
            self._asked, self._stays_since = tuple(urls), None
        since = self._stays_since
        if since is None or self._clock.now().has_passed(since, _BACK_AFTER_SECONDS):
            self._stays_since = None
            return urls
        return sorted(urls, key=lambda one: one != self._first)

    def _note_answer(self, url: str) -> None:
        self._first = url
        if url == self._asked[0]:
            self._stays_since = None
        elif self._stays_since is None:
            self._stays_since = self._clock.now()

    def _client(self, authority: str) -> httpx.Client:
        client = self._clients.get(authority)
        if client is None:
            verify: ssl.SSLContext | bool = True
            if authority:
                # The farm is its own authority, and nobody else vouches for it.
                verify = _believing(authority)
            # No proxy from the environment: it is for people.
            client = httpx.Client(trust_env=False, verify=verify)
            self._clients[authority] = client
        return client


def _believing(authority: str) -> ssl.SSLContext:
    """Give the context of who believes in this root (PEM) and in no other."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    try:
        context.load_verify_locations(cadata=authority)
    except (ssl.SSLError, ValueError):
        raise AuthorityUnusableError from None
    return context


def _why(error: httpx.HTTPError, authority: str) -> str:
    """Say what went wrong, with the way out of what people run into when they set a computer up."""
    said = str(error) or type(error).__name__
    if "CERTIFICATE_VERIFY_FAILED" in said:
        by = "the root certificate that was given" if authority else "anybody known here"
        return f"its certificate is not vouched for by {by}: --ca takes the farm's ca.pem ({said})"
    if "WRONG_VERSION_NUMBER" in said:
        return f"it does not speak TLS there: write http:// if it is meant to be so ({said})"
    return said


def _refusal(answer: httpx.Response) -> tuple[str, str]:
    with suppress(ValidationError):
        problem = Problem.model_validate_json(answer.content)
        return problem.code, problem.detail
    return str(answer.status_code), f"it answered {answer.status_code}"


def _places(error: ValidationError) -> str:
    """Say where, never what: answers hold secrets."""
    where = ("/".join(map(str, one["loc"])) for one in error.errors(include_input=False))
    return ", ".join(where) or "its beginning"
