"""The life of an agent."""

from __future__ import annotations

import signal
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import structlog

from corral.engine.adapters.locks import hold
from corral.engine.bootstrap import open_engine
from corral.engine.domain.errors import EngineError
from corral.engine.domain.orders import Standing
from corral.engine.domain.schedule import SOON_SECONDS
from corral.engine.entrypoints.agent.health import AgentHealth
from corral.engine.entrypoints.agent.listening import Listeners

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import FrameType

    from corral.engine.bootstrap import Engine, EngineOptions

_LOOK_SECONDS: Final = 1.0
_SIGNAL_RETRY_SECONDS: Final = 15.0
_log = structlog.get_logger("corral.engine")


@dataclass
class Agent:
    """The threads of an agent. Machines and the disk process are not among what it stops."""

    engine: Engine
    stopping: threading.Event = field(default_factory=threading.Event)
    now: threading.Event = field(default_factory=threading.Event)
    """A check-in is wanted at once."""
    failure: BaseException | None = None
    """What ended one of its threads."""
    page_url: str = ""
    has_tended: bool = False
    """It has seen to every machine since it was started."""
    _threads: list[threading.Thread] = field(default_factory=list)

    def start(self) -> None:
        """Begin."""
        for work in (
            self._tend,
            self._fetch,
            self._check_in,
            self._hear_signals,
            self._tend_kit,
        ):
            thread = threading.Thread(target=self._guarded(work), name=work.__name__, daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        """End what the agent does; wait for what it has in hand."""
        self.stopping.set()
        self.engine.fetch.stop()
        for event in (self.engine.wake, self.engine.news, self.now):
            event.set()
        for thread in self._threads:
            # The one that waits for signals may have a minute to wait for.
            if thread.name != self._hear_signals.__name__:
                thread.join()

    def check_in_now(self) -> None:
        """Have a check-in begin without waiting."""
        self.now.set()
        self.engine.news.set()

    def _guarded(self, work: Callable[[], None]) -> Callable[[], None]:
        def run() -> None:
            try:
                work()
            except Exception as error:  # noqa: BLE001 - whatever it is, it ends the agent
                # An agent that has lost a thread would say that all is well. It ends, so that
                # whoever watches over it starts it anew.
                _log.exception("a thread has failed", thread=work.__name__)
                self.failure = error
                self.stopping.set()

        return run

    def _tend(self) -> None:
        engine = self.engine
        while not self.stopping.is_set():
            engine.wake.clear()
            try:
                engine.settle()
                if engine.erase.is_due():
                    _log.warning("erasing this computer, as its farm ordered")
                    engine.erase()
                    self.stopping.set()
                    return
                engine.tend()
                self.has_tended = True
                engine.fetch.look_again()
            except EngineError as error:
                _log.error("cannot go on", code=error.code, detail=error.message)
            engine.wake.wait(_LOOK_SECONDS)

    def _tend_kit(self) -> None:
        """Change the agent's own release; on its own, for installing one takes a while."""
        engine, health = self.engine, AgentHealth(self)
        while not self.stopping.is_set():
            try:
                if not engine.erase.is_due() and not engine.kit(health):
                    _log.info("ending, so that another release of the engine is started")
                    self.stopping.set()
                    return
                engine.renew_disks()
            except EngineError as error:
                _log.error("cannot change the release", code=error.code, detail=error.message)
            self.stopping.wait(_LOOK_SECONDS)

    def _fetch(self) -> None:
        while not self.stopping.is_set():
            try:
                if self.engine.fetch():
                    continue
            except EngineError as error:
                _log.error("cannot fetch", code=error.code, detail=error.message)
            self.stopping.wait(_LOOK_SECONDS)

    def _check_in(self) -> None:
        engine = self.engine
        while not self.stopping.is_set():
            engine.news.clear()
            self.now.clear()
            if engine.keeper.place is None or engine.erase.is_due():
                self.stopping.wait(_LOOK_SECONDS)
                continue
            was_failing = engine.check_in.failures > 0
            if engine.check_in():
                if was_failing:
                    _log.info("the farm answers again")
            else:
                _log.warning(
                    "check-in failed", code=engine.check_in.code, detail=engine.check_in.problem
                )
            seconds = engine.check_in.seconds_to_next()
            # A farm that does not answer is not asked more often because much happens.
            if engine.check_in.failures:
                self.now.wait(seconds)
            elif engine.news.wait(seconds):
                self.now.wait(SOON_SECONDS)

    def _hear_signals(self) -> None:
        engine = self.engine
        while not self.stopping.is_set():
            place, orders = engine.keeper.place, engine.keeper.orders
            if place is None or place.standing is not Standing.REGISTERED or orders is None:
                self.stopping.wait(_LOOK_SECONDS)
                continue
            try:
                if engine.signal_farm.wait_for_signal(place, orders.generation):
                    self.check_in_now()
                    # Not again before the check-in has had its turn.
                    self.stopping.wait(SOON_SECONDS)
            except EngineError:
                self.stopping.wait(_SIGNAL_RETRY_SECONDS)


def serve(path: Path, status: str, options: EngineOptions) -> None:
    """Run an agent until a signal says stop, another release is to run, or it has erased all.

    Raises ``AgentTwiceError``, ``StateUnusableError`` and ``AddressUnusableError``.
    """
    engine = open_engine(path, options)
    # Never closed: held as long as this process lives.
    hold(engine.state.sockets / "agent.lock", path, "an agent")
    agent = Agent(engine)

    def told(_number: int, _frame: FrameType | None) -> None:
        agent.stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, told)
    engine.settle()
    listeners = Listeners(agent, engine.state.sockets / "agent", status)
    listeners.start()
    agent.page_url = listeners.status_url
    agent.start()
    _log.info("serving", state=str(path), status=listeners.status_url)
    agent.stopping.wait()
    listeners.stop()
    agent.stop()
    engine.close()
    _log.info("stopped")
    if agent.failure is not None:
        raise agent.failure
