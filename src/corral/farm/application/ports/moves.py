"""Moves of devices from server to server, and when the farm makes some by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from corral.farm.domain.delivery.device import DeviceId
    from corral.farm.domain.delivery.move import OrderedMove
    from corral.farm.domain.delivery.rebalance import BalanceRules


class Moves(Protocol):
    """The last move of each device."""

    def find(self, device_id: DeviceId) -> OrderedMove | None:
        """Give the one of that device, if it was ever moved."""
        ...

    def in_progress(self) -> Sequence[OrderedMove]:
        """Give those that have still to be done, in the order of their time, then of device ids."""
        ...

    def of_time_since(self, instant: datetime) -> Sequence[OrderedMove]:
        """Give those that ended at that instant or later, in the same order."""
        ...

    def put(self, move: OrderedMove) -> None:
        """Add it, or replace the one of the same device."""
        ...


class Balance(Protocol):
    """The rules by which servers are relieved."""

    def get(self) -> BalanceRules:
        """Give the rules; the usual ones where nobody has set any."""
        ...

    def change(self, seen: BalanceRules, after: BalanceRules) -> None:
        """Replace ``seen`` by ``after``, and raise the revision.

        Raises ``BalanceChangedError`` if they were changed since they were seen.
        """
        ...

    def last_round_at(self) -> datetime | None:
        """Give when the last automatic round was; none before the first."""
        ...

    def note_round(self, now: datetime) -> None:
        """Remember that an automatic round was now."""
        ...
