"""What the computers of a site say to their relay, and what it answers them.

A relay carries what they and the farm say, both of which are signed: it changes neither, and is
trusted with neither. While its line is cut it answers with the last orders that it carried, and
keeps what computers say until the farm can be told.
"""

from __future__ import annotations

import asyncio
import base64
import time
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cached_property
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import httpx
import structlog
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from corral.farm.adapters.farm_folder.farm_key import is_signed
from corral.farm.adapters.logs import REQUEST_ID_HEADER, request_id
from corral.farm.domain.computer.errors import (
    CheckInForeignError,
    CheckInInvalidError,
    CheckInReplayedError,
    ComputerKilledError,
    ComputerSignatureError,
    SignalsBusyError,
)
from corral.farm.domain.errors import DeniedError, DomainError, InvalidInputError, RefusedError
from corral.farm.domain.estate.relay import RelayLineCutError
from corral.wire.engine import CheckIn, Signal, SignedCheckIn, SignedOrders, check_in_message
from corral.wire.problem import Problem
from corral.wire.relay import COMPUTER_KEY_HEADER, KEPT, RELAYED_HEADER

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
    from uuid import UUID

    from starlette.requests import Request

    from corral.farm.entrypoints.stream.relay_book import RelayBook

CHECK_IN_BYTES: Final = 3 << 20
"""As text within JSON, in which a message of a mebibyte can grow."""
REGISTRATION_BYTES: Final = 64 * 1024
ANSWER_BYTES: Final = 8 << 20
BODY_SECONDS: Final = 10.0
CARRIED_AT_ONCE: Final = 32
"""Check-ins and registrations on the way to the farm; the others wait for their turn."""
SIGNALS_AT_ONCE: Final = 120
"""As many of one address may wait at the farm, and a few to spare; the other computers check in as
often as they are told to."""
TURN_SECONDS: Final = 4.0
CARRY_SECONDS: Final = 10.0
"""For all of the farm's URLs together: an engine waits for a quarter of a minute."""
_SIGNAL_SECONDS: Final = 75.0
_CONNECT_SECONDS: Final = 4.0
_AWAY_SECONDS: Final = 2.0
"""After nobody answered, nobody is asked for so long, and then by one caller at a time: a cut line
costs whoever asks seconds."""
COUNTED: Final = (
    "relay_carried",
    "relay_answered_from_kept",
    "relay_delivered",
    "relay_refused",
)
_PROBLEM: Final = "application/problem+json"
_CARRIED_HEADERS: Final = ("content-type", "retry-after", "www-authenticate")

_log = structlog.get_logger("corral.stream")


class _TooLargeError(Exception):
    """A body that is longer than its kind may be."""


@dataclass
class RelayFront:
    """Answers engines. Its routes run in one event loop at a time, ``deliver`` in any thread."""

    relay: str
    api_urls: Callable[[], Sequence[str]]
    note_answer: Callable[[str], None]
    trust: ssl.SSLContext | None
    book: RelayBook
    refuse: Callable[[], None]
    """Raises ``RelayReleaseDiffersError`` while the relay must not serve."""
    counts: Counter[str] = field(default_factory=Counter)
    _is_away: bool = field(default=False, init=False)
    _ask_again_at: float = field(default=0.0, init=False)
    _loop: _Loop | None = field(default=None, init=False)

    def routes(self) -> list[Route]:
        """Give what engines ask for."""
        return [
            Route("/v1/computers/register", self._guarded(self._register), methods=["POST"]),
            Route(
                "/v1/computers/{computer:uuid}/check-in",
                self._guarded(self._check_in),
                methods=["POST"],
            ),
            Route(
                "/v1/computers/{computer:uuid}/signal", self._guarded(self._signal), methods=["GET"]
            ),
        ]

    def deliver(self) -> bool:
        """Tell the farm what was kept for it; False while it does not answer.

        What it refuses is not said again: a later check-in was heard, or nobody listens to that
        computer any more.
        """
        try:
            self.refuse()
        except DomainError:
            return True
        for computer in self.book.undelivered():
            kept = self.book.find(computer)
            if kept is None or kept.undelivered is None:
                continue
            said = kept.undelivered
            answer = self._delivered(computer, said)
            if answer is None or answer.status_code in _LATER:
                return False
            self._is_away = False
            if answer.is_success:
                self.counts["relay_delivered"] += 1
                self._remember(computer, kept.sequence, answer)
            else:
                self._note_refusal(computer, answer)
            self.book.delivered(computer, said)
        return True

    def counters(self) -> dict[str, int]:
        """Give what it counted since the process began, and what it knows."""
        return {
            **{name: self.counts[name] for name in COUNTED},
            "relay_computers": self.book.count,
            "relay_undelivered": len(self.book.undelivered()),
        }

    def _guarded(
        self, answer: Callable[[Request], Awaitable[Response]]
    ) -> Callable[[Request], Awaitable[Response]]:
        async def guarded(request: Request) -> Response:
            asked = request_id(request.headers.get(REQUEST_ID_HEADER))
            with structlog.contextvars.bound_contextvars(request=asked):
                try:
                    self.refuse()
                    response = await answer(request)
                except DomainError as error:
                    self.counts["relay_refused"] += 1
                    response = _problem(_status(error), error.code, error.message)
                except _TooLargeError:
                    response = _problem(
                        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                        "request-too-large",
                        "this request is larger than any of its kind",
                    )
                except TimeoutError:
                    response = _problem(
                        HTTPStatus.SERVICE_UNAVAILABLE,
                        "relay-busy",
                        "the relay has too much to carry: ask again",
                    )
            response.headers[REQUEST_ID_HEADER] = asked
            return response

        return guarded

    async def _register(self, request: Request) -> Response:
        body = await _body(request, REGISTRATION_BYTES)
        async with self._turn():
            answer = await self._ask("POST", "/v1/computers/register", body)
        if answer is None:
            raise RelayLineCutError(self.relay)
        return self._carried(answer)

    async def _check_in(self, request: Request) -> Response:
        computer: UUID = request.path_params["computer"]
        body = await _body(request, CHECK_IN_BYTES)
        async with self._turn():
            answer = await self._ask("POST", f"/v1/computers/{computer}/check-in", body)
        if answer is None or answer.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return await run_in_threadpool(self._from_kept, computer, body)
        await run_in_threadpool(self._note, computer, body, answer)
        return self._carried(answer)

    async def _signal(self, request: Request) -> Response:
        computer: UUID = request.path_params["computer"]
        generation = request.query_params.get("generation", "0")
        if not (generation.isascii() and generation.isdecimal()) or len(generation) > _DIGITS:
            detail = "the request is not as the API's description says: query/generation"
            return _problem(HTTPStatus.UNPROCESSABLE_ENTITY, "request-invalid", detail)
        loop = self._of_loop()
        if loop.waiting >= SIGNALS_AT_ONCE:
            raise SignalsBusyError
        loop.waiting += 1
        asked = asyncio.ensure_future(
            self._ask(
                "GET",
                f"/v1/computers/{computer}/signal?generation={generation}",
                None,
                seconds=_SIGNAL_SECONDS,
            )
        )
        gone = asyncio.ensure_future(_until_gone(request))
        try:
            await asyncio.wait((asked, gone), return_when=asyncio.FIRST_COMPLETED)
            answer = asked.result() if asked.done() else None
        finally:
            asked.cancel()
            gone.cancel()
            loop.waiting -= 1
        if answer is not None:
            return self._carried(answer)
        kept = await run_in_threadpool(self.book.find, computer)
        if kept is None or kept.generation <= int(generation):
            raise RelayLineCutError(self.relay)
        newer = Signal(generation=kept.generation)
        return Response(newer.model_dump_json(), media_type=JSONResponse.media_type)

    def _of_loop(self) -> _Loop:
        """Give what belongs to the running event loop; a listener that moved has another one."""
        running = asyncio.get_running_loop()
        if self._loop is None or self._loop.of is not running:
            # No proxy from the environment: it is for people.
            client = httpx.AsyncClient(
                trust_env=False,
                verify=self.trust or True,
                limits=httpx.Limits(
                    max_connections=CARRIED_AT_ONCE + SIGNALS_AT_ONCE,
                    max_keepalive_connections=CARRIED_AT_ONCE,
                ),
            )
            self._loop = _Loop(running, client, asyncio.Semaphore(CARRIED_AT_ONCE))
        return self._loop

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """Wait for a place among those whose words are on the way; raises ``TimeoutError``."""
        turns = self._of_loop().turns
        async with asyncio.timeout(TURN_SECONDS):
            await turns.acquire()
        try:
            yield
        finally:
            turns.release()

    async def _ask(
        self,
        method: str,
        path: str,
        body: bytes | None,
        *,
        seconds: float = CARRY_SECONDS,
    ) -> httpx.Response | None:
        """Ask the farm; none if nobody answers at any of its URLs."""
        is_first = self._is_away
        if is_first:
            if time.monotonic() < self._ask_again_at:
                return None
            # Whoever comes meanwhile does not wait for this one.
            self._ask_again_at = time.monotonic() + seconds
        answer = None
        try:
            async with asyncio.timeout(seconds):
                answer = await self._asked(method, path, body)
        except TimeoutError:
            answer = None
        except asyncio.CancelledError:
            # Whoever asked has gone: that says nothing of the farm.
            self._ask_again_at = time.monotonic()
            raise
        if (answer is None) != self._is_away:
            _log.info(
                "the farm answers" if answer else "the farm does not answer", relay=self.relay
            )
        self._is_away = answer is None
        self._ask_again_at = time.monotonic() + _AWAY_SECONDS
        return answer

    async def _asked(self, method: str, path: str, body: bytes | None) -> httpx.Response | None:
        loop = self._of_loop()
        headers = {"Content-Type": "application/json", REQUEST_ID_HEADER: request_id(None)}
        timeout = httpx.Timeout(None, connect=_CONNECT_SECONDS)
        for url in self.api_urls():
            try:
                answer = await loop.client.request(
                    method, url + path, content=body, headers=headers, timeout=timeout
                )
            except httpx.HTTPError:
                continue
            if len(answer.content) <= ANSWER_BYTES:
                self.note_answer(url)
                return answer
        return None

    def _delivered(self, computer: UUID, said: SignedCheckIn) -> httpx.Response | None:
        for url in self.api_urls():
            try:
                return self._messenger.post(
                    f"{url}/v1/computers/{computer}/check-in",
                    content=said.model_dump_json().encode(),
                    headers={"Content-Type": "application/json"},
                )
            except httpx.HTTPError:
                continue
        return None

    @cached_property
    def _messenger(self) -> httpx.Client:
        return httpx.Client(
            trust_env=False,
            verify=self.trust or True,
            timeout=httpx.Timeout(CARRY_SECONDS, connect=_CONNECT_SECONDS),
        )

    def _carried(self, answer: httpx.Response) -> Response:
        self.counts["relay_carried"] += 1
        headers = {
            name: answer.headers[name] for name in _CARRIED_HEADERS if name in answer.headers
        }
        return Response(answer.content, answer.status_code, {**headers, RELAYED_HEADER: "carried"})

    def _note(self, computer: UUID, body: bytes, answer: httpx.Response) -> None:
        """Remember what the farm said to a check-in."""
        if not answer.is_success:
            self._note_refusal(computer, answer)
            return
        try:
            said = SignedCheckIn.model_validate_json(body)
            sequence = CheckIn.model_validate_json(said.check_in).sequence
        except ValidationError:
            return
        self._remember(computer, sequence, answer)

    def _remember(self, computer: UUID, sequence: int, answer: httpx.Response) -> None:
        try:
            key = base64.b64decode(answer.headers.get(COMPUTER_KEY_HEADER, ""), validate=True)
            signed = SignedOrders.model_validate_json(answer.content)
        except ValueError:
            _log.warning("an answer of the farm cannot be kept", computer=str(computer))
            return
        if len(key) == _KEY_BYTES:
            self.book.carried(computer, key, sequence, signed)

    def _note_refusal(self, computer: UUID, answer: httpx.Response) -> None:
        try:
            problem = Problem.model_validate_json(answer.content)
        except ValidationError:
            return
        if problem.code == ComputerKilledError.code:
            # Said only to who signed as that computer.
            self.book.forget(computer)

    def _from_kept(self, computer: UUID, body: bytes) -> Response:
        """Answer with what was carried before; nobody is told anything but the computer itself."""
        kept = self.book.find(computer)
        if kept is None:
            raise RelayLineCutError(self.relay)
        try:
            said = SignedCheckIn.model_validate_json(body)
        except ValidationError:
            detail = "the request is not as the API's description says"
            return _problem(HTTPStatus.UNPROCESSABLE_ENTITY, "request-invalid", detail)
        key, signature = base64.b64decode(kept.public_key), base64.b64decode(said.signature)
        if not is_signed(key, check_in_message(said.check_in), signature):
            raise ComputerSignatureError
        try:
            check_in = CheckIn.model_validate_json(said.check_in)
        except ValidationError as error:
            raise CheckInInvalidError(_places(error)) from None
        if check_in.computer != computer:
            raise CheckInForeignError
        if check_in.sequence <= kept.sequence:
            raise CheckInReplayedError(kept.sequence)
        self.book.keep_for_later(computer, check_in.sequence, said)
        if (check_in.epoch, check_in.generation) > kept.place:
            # It has newer ones already, from elsewhere.
            raise RelayLineCutError(self.relay)
        self.counts["relay_answered_from_kept"] += 1
        headers = {RELAYED_HEADER: f"{KEPT}; issued_at={kept.issued_at}"}
        return Response(
            kept.orders.model_dump_json(), headers=headers, media_type=JSONResponse.media_type
        )


@dataclass
class _Loop:
    """What one event loop has of its own."""

    of: asyncio.AbstractEventLoop
    client: httpx.AsyncClient
    turns: asyncio.Semaphore
    waiting: int = 0


_LATER: Final = frozenset(
    {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS, *range(500, 600)}
)
_KEY_BYTES: Final = 32
_DIGITS: Final = 19


async def _body(request: Request, most: int) -> bytes:
    body = bytearray()
    async with asyncio.timeout(BODY_SECONDS):
        async for piece in request.stream():
            body += piece
            if len(body) > most:
                raise _TooLargeError
    return bytes(body)


async def _until_gone(request: Request) -> None:
    """Return when the caller has closed the connection."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _places(error: ValidationError) -> str:
    """Say where, never what."""
    return ", ".join("/".join(map(str, one["loc"])) for one in error.errors(include_input=False))


def _status(error: DomainError) -> HTTPStatus:
    if isinstance(error, DeniedError):
        return HTTPStatus.UNAUTHORIZED
    if isinstance(error, InvalidInputError):
        return HTTPStatus.UNPROCESSABLE_ENTITY
    if isinstance(error, RefusedError):
        return HTTPStatus.CONFLICT
    return HTTPStatus.SERVICE_UNAVAILABLE


def _problem(status: HTTPStatus, code: str, detail: str) -> Response:
    said = Problem(
        type=f"urn:corral:problem:{code}",
        title=status.phrase,
        status=status,
        code=code,
        detail=detail,
    )
    headers = {"Retry-After": "5"} if status is HTTPStatus.SERVICE_UNAVAILABLE else {}
    return JSONResponse(said.model_dump(mode="json"), status, headers, _PROBLEM)
