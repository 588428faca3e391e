"""The releases beside each other on this machine: installed from the store, switched by others.

What is installed comes out of the store, which it reached like any version. A switch is the
supervisor's: it is told by a file, and this process hears of it when it is told to stop.
"""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

import corral_native as native
import structlog

from corral.farm.adapters.farm_folder.release_installer import ReleaseInstaller
from corral.farm.adapters.farm_folder.releases_folder import (
    PACKAGE_VARIABLE,
    RELEASES_VARIABLE,
    START_VARIABLE,
    TRIAL_VARIABLE,
    ReleasesFolder,
    Word,
)
from corral.farm.adapters.native.errors import translated
from corral.farm.domain.errors import DomainError
from corral.farm.domain.supervision.errors import OrderOutdatedError, SelfTestFailedError
from corral.farm.domain.supervision.record import Supervision, SwitchOrder
from corral.farm.domain.supervision.stage import Stage
from corral.farm.entrypoints.stream.version_file import opened, reader_of
from corral.wire.server import ReleaseProblem, ReleasesReport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from corral.farm.entrypoints.stream.version_file import VersionFile
    from corral.wire.server import OrderedKit, ReleaseOrder, ServerFile

_FIRST_PAUSE: Final = 2.0
_LONGEST_PAUSE: Final = 120.0
_END_SECONDS: Final = 2.0
_MESSAGE_CHARACTERS: Final = 1024
_log = structlog.get_logger("corral.stream")


@dataclass(frozen=True)
class Supervised:
    """What a supervisor has told this process."""

    folder: ReleasesFolder
    start: str
    package: str
    is_on_trial: bool

    @classmethod
    def by(cls, environment: Mapping[str, str]) -> Supervised | None:
        """Read it; none if no supervisor has started this process."""
        path, start = environment.get(RELEASES_VARIABLE), environment.get(START_VARIABLE)
        if not path or not start:
            return None
        return cls(
            ReleasesFolder(Path(path)),
            start,
            environment.get(PACKAGE_VARIABLE, ""),
            bool(environment.get(TRIAL_VARIABLE)),
        )


@dataclass
class _Attempt:
    """What is known of the installation that an order asks for."""

    order: int
    problem: DomainError | None = None
    pause: float = _FIRST_PAUSE
    not_before: float = 0.0


@dataclass
class ReleaseKeeper:
    """Makes orders so. Used from one thread; installing has another."""

    supervised: Supervised | None
    store: native.Store
    server_file: ServerFile
    release: str
    on_change: Callable[[], None]
    _order: ReleaseOrder | None = None
    _attempt: _Attempt = field(default_factory=lambda: _Attempt(0))
    _problem: ReleaseProblem | None = None
    _installing: threading.Thread | None = None

    def want(self, order: ReleaseOrder | None) -> None:
        """Make an order so, which the farm has just given."""
        self._order = order

    def work(self) -> None:
        """Do what can be done now; called again and again."""
        order = self._order
        if order is None or self.supervised is None or self._is_installing:
            return
        self._problem = None
        try:
            self._follow(order, self._state(self.supervised))
        except DomainError as error:
            self._problem = _problem(order.number, error)

    def say(self, problem: str) -> None:
        """Say to the supervisor how the self-test went."""
        if self.supervised is not None:
            self.supervised.folder.say(Word(self.supervised.start, problem))

    def report(self, test: str | None, *, is_resting: bool) -> ReleasesReport:
        """Say which releases there are, and how far the order is.

        ``test`` is why the self-test was not passed; empty if it was, none before its end.
        """
        order = self._order
        failed = _problem(0, SelfTestFailedError(test)) if test else None
        if self.supervised is None:
            # All that can be obeyed is to rest.
            only_rest = order is not None and order.install is None and order.run is None
            return ReleasesReport(
                running=self.release,
                order=order.number if order is not None and only_rest else 0,
                ready=test == "",
                resting=is_resting,
                problem=failed,
            )
        installed: tuple[str, ...] = ()
        try:
            state = self._state(self.supervised)
            installed = tuple(self.supervised.folder.installed())
        except DomainError as error:
            state = Supervision(active=self.release)
            self._problem = _problem(0 if order is None else order.number, error)
        problem = self._problem
        if problem is None and state.problem is not None:
            said = state.problem
            message = said.message[:_MESSAGE_CHARACTERS]
            problem = ReleaseProblem(order=said.order, code=said.code, message=message)
        package = self.supervised.package
        return ReleasesReport(
            running=self.release,
            installed=installed if package in installed else (package, *installed),
            order=state.order,
            ready=test == "",
            supervised=True,
            resting=is_resting,
            problem=problem or failed,
        )

    def stop(self) -> None:
        """Give an installation a moment to end; one that is broken off is begun anew."""
        if self._installing is not None:
            self._installing.join(_END_SECONDS)

    @property
    def _is_installing(self) -> bool:
        return self._installing is not None and self._installing.is_alive()

    def _state(self, by: Supervised) -> Supervision:
        return by.folder.load() or Supervision(active=self.release)

    def _follow(self, order: ReleaseOrder, state: Supervision) -> None:
        if order.number < state.taken:
            raise OrderOutdatedError(order.number, state.taken)
        if order.number == state.taken or self.supervised is None:
            return
        if order.install is not None and not self._is_there(order, order.install, state):
            return
        run = order.run
        self.supervised.folder.tell(
            SwitchOrder(order.number)
            if run is None
            else SwitchOrder(order.number, run.release, run.expects)
        )

    def _is_there(self, order: ReleaseOrder, kit: OrderedKit, state: Supervision) -> bool:
        """Whether a kit lies there; begins to lay it out if it does not. Raises what kept it."""
        installer = self._installer()
        if installer.is_installed(kit.release, kit.root):
            return True
        if self._attempt.order != order.number:
            self._attempt = _Attempt(order.number)
        attempt = self._attempt
        if time.monotonic() >= attempt.not_before and self._holds(kit.root):
            self._installing = threading.Thread(
                target=self._install,
                args=(installer, attempt, order, kit, state),
                name="installing",
                daemon=True,
            )
            self._installing.start()
        if attempt.problem is not None:
            raise attempt.problem
        return False

    def _install(
        self,
        installer: ReleaseInstaller,
        attempt: _Attempt,
        order: ReleaseOrder,
        kit: OrderedKit,
        state: Supervision,
    ) -> None:
        try:
            if state.stage is Stage.SETTLED:
                ordered = {kit.release}
                if order.run is not None:
                    ordered |= {order.run.release, order.run.expects}
                for gone in installer.remove_others(state.kept | ordered):
                    _log.info("release removed", release=gone)
            installer(kit.release, kit.root, state)
        except DomainError as error:
            attempt.problem = error
            attempt.not_before = time.monotonic() + attempt.pause
            attempt.pause = min(_LONGEST_PAUSE, 2 * attempt.pause)
            _log.warning("release not installed", code=error.code, detail=error.message)
        else:
            attempt.problem = None
            _log.info("release installed", release=kit.release, root=kit.root)
        self.on_change()

    def _installer(self) -> ReleaseInstaller:
        if self.supervised is None:
            raise TypeError
        return ReleaseInstaller(self.supervised.folder, self._kit)

    def _holds(self, root: str) -> bool:
        try:
            return self.store.holds(root)
        except native.NativeError as error:
            _log.warning("cannot look for a kit", code=error.code, detail=str(error))
            return False

    @contextmanager
    def _kit(self, root: str) -> Iterator[VersionFile]:
        with translated(self.store.path):
            version = self.store.serve(root, native.Peers())
            with opened(self.store, reader_of(self.server_file, "kit"), version) as file:
                yield file


def _problem(order: int, error: DomainError) -> ReleaseProblem:
    message = error.message[:_MESSAGE_CHARACTERS]
    return ReleaseProblem(order=order, code=error.code, message=message)
