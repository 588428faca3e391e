"""Reading all that the store keeps, again and again, on a thread of its own."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import corral_native as native
import structlog

from corral.wire.server import ScrubPass, ScrubReport

if TYPE_CHECKING:
    from collections.abc import Callable

    from corral.wire.server import Scrubbing

_BUSY_SECONDS: Final = 5.0
_LOOK_SECONDS: Final = 10.0
_AFTER_TROUBLE_SECONDS: Final = 60.0
_SLOWEST: Final = 1 << 20
_SPREAD: Final = 0.75
_log = structlog.get_logger("corral.stream")


def is_due(seen: ScrubReport, every_seconds: int, now: int) -> bool:
    """Whether a pass should begin. After a clock that was wrong, rather once too often."""
    if seen.under_way is not None:
        return False
    return seen.last is None or not 0 <= now - seen.last.started_at < every_seconds


def pace(wanted: Scrubbing, under_way: ScrubPass, now: int) -> int:
    """Give the bytes a second that spread what is left over most of the interval.

    Never more than the limit. Small stores are read at a MiB a second and then left alone; a pass
    that is late takes the limit.
    """
    until = under_way.started_at + _SPREAD * wanted.every_seconds
    left = max(0, under_way.total_bytes - under_way.checked_bytes)
    needed = int(left / max(1.0, until - now))
    return min(wanted.rate, max(_SLOWEST, needed))


@dataclass
class Scrubber:
    """Keeps a scrub going by what the farm wants, and knows what it found."""

    store: native.Store
    now: Callable[[], int]
    """Seconds since 1970."""
    on_change: Callable[[], None]
    """Called from the thread when something was found or a pass ended, for the farm to hear."""
    on_damage: Callable[[frozenset[str], int], None]
    """Called with the roots that have damage which nobody could heal, and how many chunks."""
    _peers: native.Peers = field(default_factory=native.Peers)
    _progress: native.Progress = field(default_factory=native.Progress)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _wake: threading.Event = field(default_factory=threading.Event)
    _wanted: Scrubbing | None = None
    _report: ScrubReport | None = None
    _is_stopping: bool = False
    _thread: threading.Thread = field(init=False)

    def __post_init__(self) -> None:
        self._thread = threading.Thread(target=self._run, name="scrub", daemon=True)

    def start(self) -> None:
        """Begin. What an earlier run could not heal is known before this returns."""
        try:
            self._note(native.Scrub.in_background(self.store).state())
        except native.NativeError as error:
            self._note_problem(error)
        self._thread.start()

    def want(self, wanted: Scrubbing | None, ticket: str, authority: str = "") -> None:
        """Scrub so often and so fast; a farm that says nothing of it wants none."""
        with self._lock:
            is_news = wanted != self._wanted
            self._wanted = wanted
        if wanted is not None:
            self._peers.set([peer.url for peer in wanted.peers], ticket, authority)
            # What waits for the old rate does not go on waiting.
            self._progress.set_rate(wanted.rate or None)
        if is_news:
            self._wake.set()

    def report(self) -> ScrubReport | None:
        """Say how far it is; nothing if nothing is known."""
        with self._lock:
            return self._report

    def stop(self) -> None:
        """End at once; the position is kept."""
        self._is_stopping = True
        self._progress.cancel()
        self._wake.set()
        self._thread.join()

    def _run(self) -> None:
        scrub: native.Scrub | None = None
        while not self._is_stopping:
            self._wake.clear()
            with self._lock:
                wanted = self._wanted
            try:
                if scrub is None:
                    scrub = native.Scrub.in_background(self.store)
                seconds = self._go_on(scrub, wanted)
            except native.CancelledError:
                break
            except native.NativeError as error:
                self._note_problem(error)
                seconds = _AFTER_TROUBLE_SECONDS
            if seconds and not self._is_stopping:
                self._wake.wait(seconds)
        if scrub is not None:
            try:
                scrub.pause(self.now())
            except native.NativeError as error:
                _log.warning("cannot keep the scrub's position", code=error.code, detail=str(error))

    def _go_on(self, scrub: native.Scrub, wanted: Scrubbing | None) -> float:
        """Check a little more, and give for how long there is nothing to do."""
        now = self.now()
        if wanted is None or not wanted.rate:
            # What is known to be damaged is asked for all the same.
            scrub.tend(self._peers, self._progress, now)
            scrub.pause(now)
            self._note(scrub.state())
            return _LOOK_SECONDS
        seen = _report(scrub.state())
        if is_due(seen, wanted.every_seconds, now) and scrub.begin(self._progress, now):
            seen = _report(scrub.state())
            _log.info("scrub begins")
        if seen.under_way is not None:
            self._progress.set_rate(pace(wanted, seen.under_way, now))
        step = scrub.step(self._peers, self._progress, now)
        self._note(scrub.state())
        match step:
            case "busy":
                return _BUSY_SECONDS
            case "resting":
                return _LOOK_SECONDS
            case "working":
                return 0.0
            case "finished":
                self._tell_pass(scrub.state())
                return 0.0

    @staticmethod
    def _tell_pass(state: native.ScrubState) -> None:
        if state.last is not None:
            _log.info(
                "scrub ended",
                checked_bytes=state.last.checked_bytes,
                damaged=state.last.damaged_chunks,
                healed=state.last.healed_chunks,
                left=state.unhealed_chunks,
            )

    def _note(self, state: native.ScrubState) -> None:
        report = _report(state)
        with self._lock:
            before, self._report = self._report, report
        self.on_damage(frozenset(state.affected_roots), state.unhealed_chunks)
        if before is None or _is_news(before, report):
            if before is not None and report.damaged_chunks > before.damaged_chunks:
                _log.warning(
                    "damage found",
                    damaged=report.damaged_chunks - before.damaged_chunks,
                    healed=report.healed_chunks - before.healed_chunks,
                    left=report.unhealed_chunks,
                )
            self.on_change()

    def _note_problem(self, error: native.NativeError) -> None:
        with self._lock:
            report = self._report or ScrubReport()
            is_new = report.problem != str(error)
            self._report = report.model_copy(update={"problem": str(error)})
        if is_new:
            _log.warning("the scrub does not get on", code=error.code, detail=str(error))
            self.on_change()


def _is_news(before: ScrubReport, after: ScrubReport) -> bool:
    return (before.passes, before.damaged_chunks, before.healed_chunks, before.unhealed_chunks) != (
        after.passes,
        after.damaged_chunks,
        after.healed_chunks,
        after.unhealed_chunks,
    )


def _report(state: native.ScrubState) -> ScrubReport:
    return ScrubReport(
        under_way=_pass(state.under_way),
        last=_pass(state.last),
        passes=state.passes,
        checked_bytes=state.checked_bytes,
        damaged_chunks=state.damaged_chunks,
        healed_chunks=state.healed_chunks,
        unhealed_chunks=state.unhealed_chunks,
    )


def _pass(one: native.ScrubPass | None) -> ScrubPass | None:
    if one is None:
        return None
    return ScrubPass(
        started_at=one.started_at,
        finished_at=one.finished_at,
        total_bytes=one.total_bytes,
        checked_bytes=one.checked_bytes,
        damaged_chunks=one.damaged_chunks,
        healed_chunks=one.healed_chunks,
    )
