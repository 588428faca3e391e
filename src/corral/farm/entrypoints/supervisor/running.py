"""The processes of the services: started, started again, stopped in their order."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import structlog

from corral.farm.domain.supervision.service import in_order_of_stopping
from corral.kit import place as places

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from corral.farm.domain.supervision.service import Service

_PROGRAM: Final = "corral.farm.entrypoints.cli"
_FIRST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 30.0
_GOOD_SECONDS: Final = 60.0
"""What runs that long is started again without a pause the next time."""
_STOP_SECONDS: Final = 30.0
"""A stream process gives its clients ten of them to move."""
_LOOK_SECONDS: Final = 0.05
_KILLED_WITH_PARENT: Final = 1
"""PR_SET_PDEATHSIG."""
_libc: Final = ctypes.CDLL(None, use_errno=True)
_log = structlog.get_logger("corral.supervisor")


@dataclass
class _Running:
    service: Service
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    pause: float = 0.0
    not_before: float = 0.0

    @property
    def is_alive(self) -> bool:
        return self.process is not None and self.process.poll() is None


@dataclass
class RunningServices:
    """All services of a machine, from one release. Used from the thread that starts them.

    They are killed with that thread: services that nobody watches over would be in the way of the
    next ones.
    """

    services: Sequence[Service]
    lock: int
    """A descriptor that they hold, too: whoever locks its file knows that all of them are gone."""
    deaths: int = 0
    """Since the start of them all."""
    _ones: list[_Running] = field(default_factory=list)
    _place: Path | None = None
    _variables: Mapping[str, str] = field(default_factory=dict)

    def start(self, place: Path | None, variables: Mapping[str, str]) -> None:
        """Start all, from the release in a place; from what is installed, if there is none."""
        self._place, self._variables, self.deaths = place, variables, 0
        groups = in_order_of_stopping(self.services)
        self._ones = [_Running(one) for group in reversed(groups) for one in group]
        for one in self._ones:
            self._start(one)

    def tend(self) -> None:
        """Start what has died, after a pause that grows."""
        now = time.monotonic()
        for one in self._ones:
            if one.process is not None and one.process.poll() is not None:
                self._note_death(one, one.process.returncode, now)
            if one.process is None and one.not_before <= now:
                self._start(one)

    def are_settled(self, seconds: float) -> bool:
        """Whether all have run for so long without a death."""
        now = time.monotonic()
        return all(one.is_alive and now - one.started_at >= seconds for one in self._ones)

    def stop(self, is_hurried: Callable[[], bool]) -> None:
        """End them, group after group; what does not end in time is killed."""
        groups = in_order_of_stopping([one.service for one in self._ones])
        for group in groups:
            ending = [one for one in self._ones if one.service in group and one.is_alive]
            for one in ending:
                self._signal(one, signal.SIGTERM)
            deadline = time.monotonic() + _STOP_SECONDS
            while any(one.is_alive for one in ending) and time.monotonic() < deadline:
                if is_hurried():
                    break
                time.sleep(_LOOK_SECONDS)  # noqa: TID251 - nothing else is to be waited for
            for one in ending:
                self._signal(one, signal.SIGKILL)
                if one.process is not None:
                    one.process.wait()
        self._ones = []

    def _start(self, one: _Running) -> None:
        supervisor = os.getpid()

        def die_with_the_supervisor() -> None:
            _libc.prctl(_KILLED_WITH_PARENT, signal.SIGKILL)
            if os.getppid() != supervisor:
                os._exit(1)

        one.process = subprocess.Popen(  # noqa: S603 - our own program
            [*places.command(_PROGRAM), *one.service.words],
            env={**places.environment(self._place), **self._variables},
            stdin=subprocess.DEVNULL,
            pass_fds=(self.lock,),
            preexec_fn=die_with_the_supervisor,  # noqa: PLW1509 - no other thread runs here
        )
        one.started_at = time.monotonic()
        _log.info("started", service=one.service.name, pid=one.process.pid)

    def _note_death(self, one: _Running, code: int, now: float) -> None:
        self.deaths += 1
        is_good = now - one.started_at >= _GOOD_SECONDS
        one.pause = _FIRST_PAUSE if is_good else min(_LONGEST_PAUSE, one.pause * 2 or _FIRST_PAUSE)
        one.process, one.not_before = None, now + one.pause
        _log.warning("ended", service=one.service.name, code=code, again_in=one.pause)

    @staticmethod
    def _signal(one: _Running, number: signal.Signals) -> None:
        if one.process is not None:
            # Popen knows whether it was reaped: no signal goes to somebody else.
            one.process.send_signal(number)
