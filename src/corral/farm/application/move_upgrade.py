"""Pause an upgrade of the farm, let it go on, finalise it, and take it back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from corral.farm.application.look_at_upgrade import consoles_seen, farm_kit
from corral.farm.domain.upgrade.errors import (
    ConsolesTooOldError,
    NoUpgradeUnderWayError,
    UpgradeChangedError,
)
from corral.farm.domain.upgrade.obstacle import Obstacle
from corral.farm.domain.upgrade.preflight import too_old
from corral.farm.domain.upgrade.state import UpgradeEvent

if TYPE_CHECKING:
    from collections.abc import Callable

    from corral.farm.application.ports.records import Records, Transactions
    from corral.farm.application.ports.sources import Clock
    from corral.farm.domain.upgrade.upgrade import Upgrade


_BEHIND: Final = Obstacle.CONSOLES_BEHIND.code


class _Moves:
    """Moves what is under way, as its table allows."""

    def __init__(self, transactions: Transactions, clock: Clock) -> None:
        self._transactions = transactions
        self._clock = clock

    def _move(
        self,
        event: UpgradeEvent,
        why: str,
        revision: int | None,
        demand: Callable[[Records, Upgrade], None] | None = None,
    ) -> Upgrade:
        with self._transactions.writing() as records:
            seen = records.upgrades.find_open()
            if seen is None:
                raise NoUpgradeUnderWayError
            if revision not in {None, seen.revision}:
                raise UpgradeChangedError(seen.number)
            last = records.blueprints.newest()
            newest = 0 if last is None else last.generation
            if demand is not None:
                demand(records, seen)
            moved = seen.moved(event, self._clock.now(), why, newest=newest)
            return records.upgrades.change(seen, moved)


class PauseUpgrade(_Moves):
    """No step begins any more; one that has begun ends."""

    def __call__(self, why: str = "", *, revision: int | None = None) -> Upgrade:
        """Give the upgrade; raises ``NoUpgradeUnderWayError``, ``UpgradeTransitionError``."""
        return self._move(UpgradeEvent.PAUSE, why, revision)


class ResumeUpgrade(_Moves):
    """Steps begin again; what had failed is tried again."""

    def __call__(self, *, revision: int | None = None) -> Upgrade:
        """Give the upgrade; raises what :class:`PauseUpgrade` raises."""
        return self._move(UpgradeEvent.RESUME, "", revision)


class FinaliseUpgrade(_Moves):
    """What only the old release needs is taken away: there is no way back after it."""

    def __call__(self, *, revision: int | None = None) -> Upgrade:
        """Give the upgrade.

        Raises what :class:`PauseUpgrade` raises, and ``ConsolesTooOldError``.
        """
        return self._move(UpgradeEvent.FINALISE, "", revision, self._demand_consoles)

    def _demand_consoles(self, records: Records, upgrade: Upgrade) -> None:
        """Nobody who works with an older command line finds out by being refused."""
        now = self._clock.now()
        _, manifest = farm_kit(records, upgrade.kit)
        acceptances = records.acceptances.all()
        left = [
            f"{one.who}: {why}"
            for one, why in too_old(manifest, consoles_seen(records, now))
            if not any(it.covers(f"{_BEHIND} console {one.who}", now) for it in acceptances)
        ]
        if left:
            raise ConsolesTooOldError(_BEHIND, left)


class RollBackUpgrade(_Moves):
    """Everything goes back to the old release, server by server, while devices stream."""

    def __call__(self, why: str = "", *, revision: int | None = None) -> Upgrade:
        """Give the upgrade; raises what :class:`PauseUpgrade` raises."""
        return self._move(UpgradeEvent.ROLL_BACK, why, revision)
