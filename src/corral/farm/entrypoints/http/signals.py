"""Engines wait for news: one look at the database for all of them, however many wait.

Who waits costs a connection and nothing else. A single task looks once a second whether anything
was changed at all, and only then what that means for those who wait.
"""

import asyncio
from collections import Counter
from dataclasses import dataclass, field

import structlog
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from corral.farm.domain.access.attempts import network_of
from corral.farm.domain.computer.computer import ComputerId
from corral.farm.domain.computer.errors import ComputerUnknownError, SignalsBusyError
from corral.farm.domain.errors import DomainError
from corral.farm.entrypoints.http.admission import SignalLimits
from corral.farm.entrypoints.http.application import Application
from corral.farm.entrypoints.http.permitted import address_of

_log = structlog.get_logger("corral.http")


@dataclass(eq=False)
class _Waiter:
    computer: ComputerId
    generation: int
    answer: asyncio.Future[int | None]
    is_new: bool = True


@dataclass
class _Looked:
    stamp: tuple[int, int] | None = None
    at: float = field(default=float("-inf"))


class Signals:
    """Those who wait at one API process; for one event loop."""

    def __init__(self, application: Application, limits: SignalLimits) -> None:
        self._application = application
        self._limits = limits
        self._waiting: dict[ComputerId, _Waiter] = {}
        self._addresses: Counter[str] = Counter()
        self._looking: asyncio.Task[None] | None = None
        self._is_ending = False

    @property
    def count(self) -> int:
        """How many wait."""
        return len(self._waiting)

    async def wait(self, computer: ComputerId, generation: int, request: Request) -> int:
        """Give the generation of newer orders, or the same after a while.

        Raises ``SignalsBusyError``, and ``ComputerUnknownError`` for one that is not listened to.
        """
        address = network_of(address_of(request))
        is_full = (
            len(self._waiting) >= self._limits.of_all
            or self._addresses[address] >= self._limits.of_one_address
        )
        if self._is_ending or (is_full and computer not in self._waiting):
            raise SignalsBusyError
        waiter = _Waiter(computer, generation, asyncio.get_running_loop().create_future())
        before = self._waiting.pop(computer, None)
        if before is not None:
            # It asks anew: whoever waited in its name was left, or is somebody else.
            _answer(before, before.generation)
        self._waiting[computer] = waiter
        self._addresses[address] += 1
        self._begin()
        gone = asyncio.ensure_future(_until_gone(request))
        try:
            async with asyncio.timeout(self._limits.seconds):
                await asyncio.wait((waiter.answer, gone), return_when=asyncio.FIRST_COMPLETED)
        except TimeoutError:
            pass
        finally:
            gone.cancel()
            if self._waiting.get(computer) is waiter:
                del self._waiting[computer]
            self._addresses[address] -= 1
            if not self._addresses[address]:
                del self._addresses[address]
        found = waiter.answer.result() if waiter.answer.done() else generation
        if found is None:
            raise ComputerUnknownError(str(computer))
        return found

    def end(self) -> None:
        """Let everybody go: the process stops."""
        self._is_ending = True
        for waiter in tuple(self._waiting.values()):
            _answer(waiter, waiter.generation)

    def _begin(self) -> None:
        if self._looking is None or self._looking.done():
            self._looking = asyncio.ensure_future(self._keep_looking())

    async def _keep_looking(self) -> None:
        looked = _Looked()
        clock = asyncio.get_running_loop().time
        while self._waiting and not self._is_ending:
            began = clock()
            try:
                await self._look_once(looked, began)
            except DomainError as error:
                # The database is away: nobody is told anything until it is back.
                _log.warning("no news for engines", code=error.code, detail=error.message)
            except Exception:  # noqa: BLE001 - those who wait are to be told later all the same
                _log.exception("looking for news for engines failed")
            # However dear a look is, it takes a tenth of a thread's time at the most.
            await asyncio.sleep(max(self._limits.look_every, 9 * (clock() - began)))

    async def _look_once(self, looked: _Looked, now: float) -> None:
        look = self._application.look_for_orders
        stamp = await run_in_threadpool(look.stamp)
        is_due = stamp != looked.stamp or now - looked.at >= self._limits.look_anyway_every
        asked = [one for one in self._waiting.values() if is_due or one.is_new]
        if not asked:
            return
        newest = await run_in_threadpool(look, frozenset(one.computer for one in asked))
        if is_due:
            looked.stamp, looked.at = stamp, now
        for waiter in asked:
            waiter.is_new = False
            found = newest.get(waiter.computer)
            if found is None or found > waiter.generation:
                _answer(waiter, found)


async def _until_gone(request: Request) -> None:
    """Return when the caller has closed the connection."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _answer(waiter: _Waiter, generation: int | None) -> None:
    """Let one go; with none, because nobody listens to it."""
    if not waiter.answer.done():
        waiter.answer.set_result(generation)
