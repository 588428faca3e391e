"""How far a long verb has got, readable from another thread while it works."""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock
from typing import Protocol


@dataclass(frozen=True)
class Amounts:
    """One look at some work: in bytes, unless a task's kind says that it counts something else."""

    total_bytes: int | None = None
    """What there is to do; ``None`` while nobody knows."""
    done_bytes: int = 0
    new_chunks: int = 0
    """Chunks stored or fetched that were not there before."""
    new_bytes: int = 0
    """Bytes that those chunks took, compressed."""
    awaited: int = 0
    """Others whose end the work waits for just now."""


class Meter(Protocol):
    """Something that counts; an adapter wraps one around whatever does the work."""

    def amounts(self) -> Amounts:
        """Look without disturbing the work."""
        ...

    def cancel(self) -> None:
        """Ask the work to end early; it then raises ``WorkCancelledError``."""
        ...


class Progress:
    """What the caller of a long verb holds: it polls here, and cancels here.

    The caller makes it and passes it to the use case; the adapter that does the work connects its
    meter with :meth:`watch`. One progress may see several meters, one after the other.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._meter: Meter | None = None
        self._is_cancelled = False

    def watch(self, meter: Meter) -> None:
        """Show ``meter`` from now on; cancel it at once if the caller has cancelled already."""
        with self._lock:
            self._meter = meter
            cancel_now = self._is_cancelled
        if cancel_now:
            meter.cancel()

    def amounts(self) -> Amounts:
        """Give the last meter's amounts; all unknown before the work began."""
        with self._lock:
            meter = self._meter
        return Amounts() if meter is None else meter.amounts()

    def cancel(self) -> None:
        """Ask the work to end early."""
        with self._lock:
            self._is_cancelled = True
            meter = self._meter
        if meter is not None:
            meter.cancel()

    @property
    def is_cancelled(self) -> bool:
        """Whether the caller wants the work to end."""
        with self._lock:
            return self._is_cancelled
