"""What a request may take of this process, decided before any of it is parsed.

Bounds keep a mistake or a flood from taking the memory and threads that others need, and turns keep
them from taking everybody's places: who is behind an address is not known here, but each address
gets its turn. Devices that are sent away try again by themselves.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from corral.farm.domain.access.attempts import network_of
from corral.farm.entrypoints.http.problems import problem
from corral.farm.entrypoints.http.turns import Turns


@dataclass(frozen=True)
class SignalLimits:
    """How many may wait for a signal, and for how long."""

    seconds: float = 50.0
    """How long one waits; less than most things on the way allow a silent connection."""
    of_all: int = 512
    """Half of the connections: the others are for those who do something."""
    of_one_address: int = 128
    """As many engines behind one router; the others check in as often as they are told to."""
    look_every: float = 1.0
    look_anyway_every: float = 30.0
    """For what only a date brings about."""


@dataclass(frozen=True)
class Limits:
    """The bounds of one API process."""

    body_bytes: int = 4 * 1024 * 1024
    """A report of 10,000 sessions is half of this."""
    body_seconds: float = 10.0
    """From the first to the last byte of a body."""
    login_body_bytes: int = 64 * 1024
    """Of a login or a sign-in, which anybody may send."""
    uploads_at_once: int = 4
    upload_pause_seconds: float = 30.0
    """Without a byte of an upload, after which it is given up."""
    logins_at_once: int = 24
    """Of the 40 worker threads; the others are left to servers and to people."""
    sign_ins_at_once: int = 4
    """Each hashes a password for a while; devices do not wait for people who guess."""
    logins_waiting_of_one: int = 128
    """From one address, for a place among those."""
    logins_waiting_of_all: int = 512
    login_seconds: float = 10.0
    """How long one waits for its place."""
    logins_per_second: float = 20.0
    """From one address, in the long run."""
    logins_in_a_burst: int = 500
    """From one address at once: a room that is switched on, behind one router."""
    registrations_at_once: int = 4
    """Of computers that nobody knows yet; bounded as logins are in everything else."""
    check_ins_at_once: int = 12
    check_ins_per_second: float = 50.0
    """From one address, in the long run."""
    check_ins_in_a_burst: int = 2000
    """From one address at once: an office whose line is back."""
    signals: SignalLimits = SignalLimits()


_ADDRESSES_REMEMBERED: Final = 4096
_LOGIN: Final = "/login"
_SIGN_IN: Final = "/sign-in"
_REGISTER: Final = "/register"
_CHECK_IN: Final = "/check-in"
_OPEN: Final = (_LOGIN, _SIGN_IN, _REGISTER, _CHECK_IN)
"""How the paths end that anybody may call as often as they like."""
_UPLOADS: Final = "/v1/library/folder/"
"""Below it files of any size come, which are never held in memory."""
_SMALL: Final = (_LOGIN, _SIGN_IN, _REGISTER)


class LoginBudget:
    """A bucket for each address; the addresses longest not seen are forgotten first."""

    def __init__(self, in_a_burst: int, per_second: float) -> None:
        self._burst = float(in_a_burst)
        self._per_second = per_second
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, address: str, now: float) -> bool:
        """Say whether one more login from ``address`` is within bounds at ``now`` (seconds)."""
        left, at = self._buckets.pop(address, (self._burst, now))
        left = min(self._burst, left + (now - at) * self._per_second)
        is_admitted = left >= 1.0
        self._buckets[address] = (left - 1.0 if is_admitted else left, now)
        if len(self._buckets) > _ADDRESSES_REMEMBERED:
            self._buckets.popitem(last=False)
        return is_admitted


class Admission:
    """ASGI middleware that holds requests to their limits."""

    def __init__(self, app: ASGIApp, limits: Limits, monotonic: Callable[[], float]) -> None:
        self._app = app
        self._limits = limits
        self._monotonic = monotonic
        logins = LoginBudget(limits.logins_in_a_burst, limits.logins_per_second)
        check_ins = LoginBudget(limits.check_ins_in_a_burst, limits.check_ins_per_second)
        self._budgets = {ending: check_ins if ending == _CHECK_IN else logins for ending in _OPEN}
        self._uploads = 0
        self._turns = {
            ending: Turns(places, limits.logins_waiting_of_one, limits.logins_waiting_of_all)
            for ending, places in (
                (_LOGIN, limits.logins_at_once),
                (_SIGN_IN, limits.sign_ins_at_once),
                (_REGISTER, limits.registrations_at_once),
                (_CHECK_IN, limits.check_ins_at_once),
            )
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request through, or answer it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path: str = scope["path"]
        ending = next((one for one in _OPEN if path.endswith(one)), None)
        if scope["method"] == "PUT" and path.startswith(_UPLOADS):
            await self._upload(scope, receive, send)
            return
        is_small = ending in _SMALL
        most = self._limits.login_body_bytes if is_small else self._limits.body_bytes
        try:
            body = await self._body(scope, receive, min(most, self._limits.body_bytes))
        except _TooLargeError:
            detail = f"this request has at most {min(most, self._limits.body_bytes)} bytes"
            status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
            await problem(status, "request-too-large", detail)(scope, receive, send)
            return
        except TimeoutError:
            detail = f"a request arrives within {self._limits.body_seconds:.0f} s"
            await problem(HTTPStatus.REQUEST_TIMEOUT, "request-too-slow", detail)(
                scope, receive, send
            )
            return
        except ClientDisconnect:
            return
        if ending is not None:
            await self._login(ending, scope, _replay(body, receive), send)
        else:
            await self._app(scope, _replay(body, receive), send)

    async def _upload(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let it through piece by piece, and end it where nothing comes any more."""
        if self._uploads >= self._limits.uploads_at_once:
            detail = "as many files are being uploaded as may be at once; try again"
            answer = problem(HTTPStatus.SERVICE_UNAVAILABLE, "upload-busy", detail)
            await answer(scope, receive, send)
            return

        async def receive_soon() -> Message:
            try:
                async with asyncio.timeout(self._limits.upload_pause_seconds):
                    return await receive()
            except TimeoutError:
                return {"type": "http.disconnect"}

        self._uploads += 1
        try:
            await self._app(scope, receive_soon, send)
        except ClientDisconnect:
            return
        finally:
            self._uploads -= 1

    async def _login(self, ending: str, scope: Scope, receive: Receive, send: Send) -> None:
        address = network_of(scope["client"][0]) if scope["client"] else ""
        turns = self._turns[ending]
        if not self._budgets[ending].take(address, self._monotonic()):
            detail = "too many logins from this address; try again after the given time"
            answer = problem(HTTPStatus.TOO_MANY_REQUESTS, "login-flood", detail)
            await answer(scope, receive, send)
        elif not await self._turn(turns, address):
            detail = "too many are logging in at this moment; try again"
            answer = problem(HTTPStatus.SERVICE_UNAVAILABLE, "login-busy", detail)
            await answer(scope, receive, send)
        else:
            try:
                await self._app(scope, receive, send)
            finally:
                turns.give_back()

    async def _turn(self, turns: Turns, address: str) -> bool:
        try:
            async with asyncio.timeout(self._limits.login_seconds):
                return await turns.take(address)
        except TimeoutError:
            return False

    async def _body(self, scope: Scope, receive: Receive, most: int) -> bytes:
        headers = dict(scope["headers"])
        said = headers.get(b"content-length", b"0")
        if said.isdigit() and int(said) > most:
            raise _TooLargeError
        body = bytearray()
        async with asyncio.timeout(self._limits.body_seconds):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientDisconnect
                body += message.get("body", b"")
                if len(body) > most:
                    raise _TooLargeError
                if not message.get("more_body", False):
                    return bytes(body)


class _TooLargeError(Exception):
    pass


def _replay(body: bytes, receive: Receive) -> Receive:
    is_given = False

    async def give() -> Message:
        nonlocal is_given
        if is_given:
            return await receive()
        is_given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return give
