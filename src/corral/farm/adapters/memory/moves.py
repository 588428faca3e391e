"""Moves and the rules of balance in memory."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from corral.farm.domain.delivery.rebalance import BalanceChangedError, BalanceRules

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from corral.farm.adapters.memory.state import State
    from corral.farm.domain.delivery.device import DeviceId
    from corral.farm.domain.delivery.move import OrderedMove


class MemoryMoves:
    """Moves by device."""

    def __init__(self, state: State) -> None:
        self._state = state

    def find(self, device_id: DeviceId) -> OrderedMove | None:
        """Give the one of that device, if it was ever moved."""
        return self._state.moves.get(device_id)

    def in_progress(self) -> Sequence[OrderedMove]:
        """Give those that have still to be done."""
        return [move for move in self._all() if move.is_open]

    def of_time_since(self, instant: datetime) -> Sequence[OrderedMove]:
        """Give those that ended at that instant or later."""
        return [m for m in self._all() if m.ended_at is not None and m.ended_at >= instant]

    def put(self, move: OrderedMove) -> None:
        """Add it, or replace the one of the same device."""
        self._state.moves[move.device_id] = move

    def _all(self) -> list[OrderedMove]:
        return sorted(self._state.moves.values(), key=lambda m: (m.ordered_at, m.device_id))


class MemoryBalance:
    """The rules, and the time of the last round."""

    def __init__(self, state: State) -> None:
        self._state = state

    def get(self) -> BalanceRules:
        """Give the rules."""
        return self._state.balance or BalanceRules()

    def change(self, seen: BalanceRules, after: BalanceRules) -> None:
        """Replace them if they are still those that were seen."""
        if self.get().revision != seen.revision:
            raise BalanceChangedError
        self._state.balance = replace(after, revision=seen.revision + 1)

    def last_round_at(self) -> datetime | None:
        """Give when the last automatic round was."""
        return self._state.balanced_at

    def note_round(self, now: datetime) -> None:
        """Remember that an automatic round was now."""
        self._state.balanced_at = now
