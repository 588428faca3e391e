"""Have a computer erase itself, take that back, and let one that did register anew."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corral.farm.domain.computer.errors import ComputerChangedError
from corral.farm.domain.computer.state import ComputerEvent

if TYPE_CHECKING:
    from corral.farm.application.ports.records import Transactions
    from corral.farm.application.ports.sources import Clock
    from corral.farm.domain.computer.computer import Computer, ComputerName


class _Moves:
    """Moves a computer along one arrow of the table."""

    _event: ComputerEvent

    def __init__(self, transactions: Transactions, clock: Clock) -> None:
        self._transactions = transactions
        self._clock = clock

    def __call__(self, name: ComputerName, revision: int | None = None) -> Computer:
        """Give it as it is now.

        Raises ``ComputerUnknownError``, ``ComputerTransitionError``, and ``ComputerChangedError``
        if ``revision`` is given and is not that of the computer any more.
        """
        now = self._clock.now()
        with self._transactions.writing() as records:
            seen = records.computers.get(name)
            if revision not in (None, seen.revision):
                raise ComputerChangedError(name)
            return records.computers.change(seen, seen.after(self._event, now))


class KillComputer(_Moves):
    """Has a computer erase its machines, its users' data and its keys when it is next heard of."""

    _event = ComputerEvent.KILL


class UndoKill(_Moves):
    """Takes that back until the computer has been told; raises ``ComputerToldError`` after that."""

    _event = ComputerEvent.UNDO_KILL


class RecycleComputer(_Moves):
    """Lets a computer that has erased itself register anew; what was on it is gone."""

    _event = ComputerEvent.RECYCLE
