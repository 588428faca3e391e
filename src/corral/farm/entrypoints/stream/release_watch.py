"""What a stream process does about releases: tests its own, and makes the farm's orders so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from corral.farm.domain.errors import DomainError
from corral.farm.entrypoints.stream.releases import ReleaseKeeper
from corral.farm.entrypoints.stream.self_test import SelfTest
from corral.farm.entrypoints.stream.version_file import reader_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from corral.farm.entrypoints.stream.host import StreamHost
    from corral.farm.entrypoints.stream.releases import Supervised
    from corral.wire.server import ReleaseOrder, ReleasesReport

_log = structlog.get_logger("corral.stream")


@dataclass
class ReleaseWatch:
    """Used from one thread."""

    host: StreamHost
    keeper: ReleaseKeeper
    test: SelfTest
    _is_said: bool = False

    @classmethod
    def over(
        cls, host: StreamHost, supervised: Supervised | None, on_change: Callable[[], None]
    ) -> ReleaseWatch:
        """Make one for a process."""
        store, mine = host.store, host.server_file
        return cls(
            host,
            ReleaseKeeper(supervised, store, mine, host.release, on_change),
            SelfTest(store, reader_of(mine, "self-test"), on_change),
        )

    def want(self, order: ReleaseOrder | None) -> None:
        """Make an order so, which the farm has just given."""
        self.keeper.want(order)

    def work(self) -> None:
        """Test what there is once it is known, and go on with the order."""
        if not self.test.has_begun and self.host.in_force is not None:
            self.test.begin(self.host.to_test(), self.host.refused)
        problem = self.test.problem
        if problem is not None and not self._is_said:
            if self.test.is_passed and self.host.is_held:
                self.host.let_go()
            self._say(problem)
        self.keeper.work()

    def report(self) -> ReleasesReport:
        """Say which releases there are, and how it is with them."""
        return self.keeper.report(self.test.problem, is_resting=self.host.is_resting)

    def stop(self) -> None:
        """End what it has begun."""
        self.test.stop()
        self.keeper.stop()

    def _say(self, problem: str) -> None:
        try:
            self.keeper.say(problem)
        except DomainError as error:
            _log.warning("cannot say how the self-test went", detail=error.message)
            return
        self._is_said = True
