"""Run a long verb while its progress is shown."""

from __future__ import annotations

import signal
import sys
import time
from dataclasses import dataclass
from threading import Event, Thread
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from corral.farm.application.progress import Amounts, Progress
from corral.farm.entrypoints.cli.output import human_size

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType, TracebackType
    from typing import Protocol, Self

    class Display(Protocol):
        """Something that shows amounts until it is left."""

        def __enter__(self) -> Self: ...
        def __exit__(
            self,
            kind: type[BaseException] | None,
            error: BaseException | None,
            trace: TracebackType | None,
        ) -> None: ...
        def show(self, amounts: Amounts) -> None:
            """Show these."""
            ...


Outcome = TypeVar("Outcome")

_LOOK_SECONDS: Final = 0.1
_LINE_SECONDS: Final = 2.0


def run_shown(
    title: str,
    verb: Callable[[Progress], Outcome],
    *,
    is_quiet: bool = False,
    look: Callable[[Progress], None] | None = None,
) -> Outcome:
    """Give what ``verb`` gives, showing its progress on the standard error stream meanwhile.

    A bar on a terminal; elsewhere a plain line every few seconds, or nothing if quiet. An interrupt
    (Ctrl-C) cancels the verb and waits until it has ended cleanly; a second one does not wait.
    ``look`` is called several times a second meanwhile.
    """
    progress = Progress()
    worker = _Worker(verb, progress)
    with _Interrupts() as interrupts, display_for(title, is_quiet=is_quiet) as display:
        worker.start()
        while not worker.has_ended.wait(_LOOK_SECONDS):
            if interrupts.is_first_seen and not progress.is_cancelled:
                progress.cancel()
            display.show(progress.amounts())
            if look is not None:
                look(progress)
        display.show(progress.amounts())
    return worker.outcome()


class _Interrupts:
    """Notes the first Ctrl-C instead of raising it, wherever the program is just then."""

    def __init__(self) -> None:
        self.is_first_seen = False
        self._is_ours = False

    def __enter__(self) -> Self:
        # Whoever ignores interrupts, such as a script's job in the background, goes on doing so.
        self._is_ours = signal.getsignal(signal.SIGINT) is signal.default_int_handler
        if self._is_ours:
            signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._is_ours:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.is_first_seen:
            signal.default_int_handler(number, frame)
        self.is_first_seen = True


class _Worker(Thread, Generic[Outcome]):
    def __init__(self, verb: Callable[[Progress], Outcome], progress: Progress) -> None:
        # A daemon, so that a verb which does not heed its cancelling cannot keep a second Ctrl-C
        # from ending the program.
        super().__init__(name="verb", daemon=True)
        # Waited for instead of the thread: an exception in ``Thread.join`` of Python 3.11, such as
        # an interrupt, leaves the thread marked as ended while it runs on.
        self.has_ended = Event()
        self._verb = verb
        self._progress = progress
        self._result: list[Outcome] = []
        self._error: BaseException | None = None

    def run(self) -> None:
        try:
            self._result.append(self._verb(self._progress))
        except BaseException as error:  # noqa: BLE001 - carried to the thread that asked
            self._error = error
        finally:
            self.has_ended.set()

    def outcome(self) -> Outcome:
        if self._error is not None:
            raise self._error
        return self._result[0]


def display_for(title: str, *, is_quiet: bool, counts: str = "bytes") -> Display:
    """Choose how amounts are shown, which are bytes or what else ``counts`` says.

    A terminal gets its bar even if quiet: answers go to the standard output, and somebody waits.
    """
    if sys.stderr.isatty():
        return _Bar(title, counts)
    return _Silence() if is_quiet else _Lines(title, counts)


class _Silence:
    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        pass

    def show(self, amounts: Amounts) -> None:
        pass


class _Lines(_Silence):
    """A line now and then, for logs."""

    def __init__(self, title: str, counts: str) -> None:
        self._title = title
        self._counts = counts
        self._began = time.monotonic()
        self._shown_at = self._began
        self._last = ""

    def show(self, amounts: Amounts) -> None:
        now = time.monotonic()
        is_done = amounts.total_bytes is not None and amounts.done_bytes >= amounts.total_bytes
        if now - self._shown_at < _LINE_SECONDS and not is_done:
            return
        line = f"{self._title}: {describe(amounts, now - self._began, self._counts)}"
        if line.partition(" at ")[0] != self._last.partition(" at ")[0]:
            sys.stderr.write(line + "\n")
            sys.stderr.flush()
            self._last = line
        self._shown_at = now


class _Bar(_Silence):
    """One line of a terminal, drawn over and over."""

    def __init__(self, title: str, counts: str) -> None:
        from rich.console import Console  # noqa: PLC0415 - not for `--help`
        from rich.progress import (  # noqa: PLC0415
            BarColumn,
            DownloadColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
            TransferSpeedColumn,
        )

        is_bytes = counts == "bytes"
        amounts = (
            (DownloadColumn(binary_units=True), TransferSpeedColumn())
            if is_bytes
            else (MofNCompleteColumn(), TextColumn(counts))
        )
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f}%"),
            *amounts,
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
            console=Console(stderr=True),
        )
        self._task = self._progress.add_task(title, total=None, note="")

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def show(self, amounts: Amounts) -> None:
        self._progress.update(
            self._task,
            total=amounts.total_bytes,
            completed=amounts.done_bytes,
            note=_note(amounts),
        )


@dataclass(frozen=True)
class _Pace:
    per_second: float
    seconds_left: float | None


def describe(amounts: Amounts, seconds: float, counts: str = "bytes") -> str:
    """Say bytes, rate, time left and new chunks in one line; of other things, how many and when."""
    pace = _pace(amounts, seconds)
    if counts != "bytes":
        done = f"{amounts.done_bytes} of {amounts.total_bytes or 0} {counts}"
        return done if pace.seconds_left is None else f"{done}, {pace.seconds_left:.0f} s left"
    if amounts.total_bytes:
        percent = 100 * amounts.done_bytes // amounts.total_bytes
        done = f"{percent}% of {human_size(amounts.total_bytes)}"
    else:
        done = human_size(amounts.done_bytes)
    parts = [f"{done} at {human_size(pace.per_second)}/s"]
    if pace.seconds_left is not None:
        parts.append(f"{pace.seconds_left:.0f} s left")
    note = _note(amounts)
    return ", ".join([*parts, note] if note else parts)


def _pace(amounts: Amounts, seconds: float) -> _Pace:
    per_second = amounts.done_bytes / seconds if seconds > 0 else 0.0
    if not amounts.total_bytes or not per_second:
        return _Pace(per_second, None)
    return _Pace(per_second, max(0, amounts.total_bytes - amounts.done_bytes) / per_second)


def _note(amounts: Amounts) -> str:
    if amounts.awaited:
        return f"waiting until {amounts.awaited} others have written"
    if not amounts.new_chunks:
        return ""
    return f"{amounts.new_chunks} new chunks, {human_size(amounts.new_bytes)} stored"
