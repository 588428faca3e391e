"""Start the services of the release in force, watch over one on trial, switch when told."""

from __future__ import annotations

import fcntl
import os
import signal
import threading
import time
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

import structlog

from corral.farm.adapters.farm_folder.releases_folder import (
    PACKAGE_VARIABLE,
    RELEASES_VARIABLE,
    START_VARIABLE,
    TRIAL_VARIABLE,
    ReleasesFolder,
)
from corral.farm.adapters.farm_folder.services_file import read_services
from corral.farm.domain.supervision.errors import ReleasesUnusableError, SupervisorRunsError
from corral.farm.domain.supervision.record import (
    MOST_DEATHS,
    Supervision,
    begin,
    is_same_release,
    not_proved,
    proved,
    stopped,
    take,
)
from corral.farm.domain.supervision.stage import Stage
from corral.farm.entrypoints.supervisor.running import RunningServices

if TYPE_CHECKING:
    from pathlib import Path
    from types import FrameType

PROVE_SECONDS: Final = 120.0
SETTLE_SECONDS: Final = 3.0
_LOOK_SECONDS: Final = 0.1
_GONE_SECONDS: Final = 10.0
"""What the services of a supervisor that was killed have to be gone."""
_log = structlog.get_logger("corral.supervisor")


@dataclass
class Supervisor:
    """One machine's services. Every change of the record is on the disk before its effect."""

    path: Path
    prove_seconds: float = PROVE_SECONDS
    settle_seconds: float = SETTLE_SECONDS
    package: str = field(default_factory=lambda: version("corral"))
    """The release that came with the machine's package: this one."""
    _told: threading.Event = field(default_factory=threading.Event)
    _signals: int = 0
    _starts: int = 0
    _said: str = ""

    def __post_init__(self) -> None:
        self._folder = ReleasesFolder(self.path)

    def __call__(self) -> None:
        """Run until told to stop.

        Raises ``ServicesInvalidError``, ``SupervisorRunsError``, ``ReleasesUnusableError``.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        services = read_services(self._folder.services)
        lock = self._locked()
        try:
            running = RunningServices(services, lock)
            loaded = self._load()
            state = self._kept(begin(loaded, self.package, self._can_start), loaded)
            while not self._told.is_set():
                mark = self._start(running, state)
                try:
                    state = self._watch(running, state, mark)
                finally:
                    running.stop(lambda: self._signals > 1)
                if state.stage is Stage.STOPPING:
                    state = self._kept(stopped(state), state)
            _log.info("stopped")
        finally:
            os.close(lock)

    def _start(self, running: RunningServices, state: Supervision) -> str:
        """Start all services; give the mark of this start, which no other has."""
        self._starts += 1
        mark = f"{state.taken}.{state.tries}.{os.getpid()}.{self._starts}"
        _log.info("starting", release=state.active, stage=state.stage.value, order=state.taken)
        running.start(
            self._folder.find(state.active),
            {
                RELEASES_VARIABLE: str(self.path),
                START_VARIABLE: mark,
                PACKAGE_VARIABLE: self.package,
                TRIAL_VARIABLE: "1" if state.is_on_trial else "",
            },
        )
        return mark

    def _watch(self, running: RunningServices, state: Supervision, mark: str) -> Supervision:
        """Watch over the services until they have to end; give the record as it is then."""
        has_stream = any(one.is_stream for one in running.services)
        deadline = time.monotonic() + self.prove_seconds
        while not self._told.is_set():
            running.tend()
            before = state.active
            state = self._heard(state)
            if state.is_on_trial:
                is_late = time.monotonic() >= deadline
                judged = self._judged(running, state, mark if has_stream else "", is_late=is_late)
                state = self._kept(judged, state)
            if state.stage is Stage.STOPPING or state.active != before:
                return state
            self._told.wait(_LOOK_SECONDS)
        return state

    def _heard(self, state: Supervision) -> Supervision:
        for order in self._folder.orders():
            after = self._kept(take(state, order, self._can_start), state)
            if order.by_hand and order.by_hand == after.by_hand:
                self._folder.forget_hand()
            state = after
        return state

    def _judged(
        self, running: RunningServices, state: Supervision, mark: str, *, is_late: bool
    ) -> Supervision:
        """Judge a release on trial. There is nothing to go back to from the one before."""
        word = self._folder.word() if mark else None
        is_heard = word is not None and word.start == mark
        problem = word.problem if word is not None and is_heard else ""
        if (is_heard or not mark) and not problem and running.are_settled(self.settle_seconds):
            return proved(state)
        if state.stage is not Stage.TRIAL:
            return state
        if problem:
            return not_proved(state, problem)
        if running.deaths >= MOST_DEATHS:
            return not_proved(state, f"its services ended {running.deaths} times")
        if is_late:
            return not_proved(state, f"it did not do its work within {self.prove_seconds:.0f} s")
        return state

    def _can_start(self, release: str) -> bool:
        is_package = is_same_release(release, self.package)
        return is_package or self._folder.find(release) is not None

    def _load(self) -> Supervision:
        try:
            state = self._folder.load()
        except ReleasesUnusableError as error:
            _log.exception("going on with the release of the package", code=error.code)
            self._folder.set_aside()
            state = None
        if state is None:
            return self._kept(Supervision(active=self.package), Supervision(active=""))
        return state

    def _kept(self, after: Supervision, before: Supervision) -> Supervision:
        """Write the record unless it is as it was; give what is in force then.

        With a disk that takes nothing no switch is begun. Services go on, and one that was begun
        comes to its end: the next supervisor would do the same again.
        """
        if after != before:
            try:
                self._folder.keep(after)
            except ReleasesUnusableError as error:
                if error.message != self._said:
                    _log.exception("cannot keep the record", code=error.code)
                self._said = error.message
                return before if after.stage is Stage.STOPPING else after
            self._said = ""
            problem = None if after.problem is None else after.problem.message
            _log.info(
                "releases",
                stage=after.stage.value,
                active=after.active,
                coming=after.coming or None,
                order=after.order,
                problem=problem,
            )
        return after

    def _locked(self) -> int:
        """Lock the folder; services of a supervisor that was killed are waited for."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(self._folder.lock, os.O_RDWR | os.O_CREAT, 0o600)
        deadline = time.monotonic() + _GONE_SECONDS
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= deadline or self._told.wait(_LOOK_SECONDS):
                    os.close(lock)
                    raise SupervisorRunsError(self.path) from None
            else:
                return lock

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self._signals += 1
        self._told.set()
