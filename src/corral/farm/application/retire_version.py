"""Retire a version."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corral.farm.application.move_version import Mover
from corral.farm.domain.image.standing import VersionEvent

if TYPE_CHECKING:
    from corral.farm.application.ports.records import Transactions
    from corral.farm.application.ports.sources import Clock
    from corral.farm.domain.image.version import Version, VersionName


class RetireVersion:
    """Has no device start a version any more; those that run it go on, and the stores keep it."""

    def __init__(self, transactions: Transactions, clock: Clock, by: str = "") -> None:
        self._transactions = transactions
        self._clock = clock
        self._by = by

    def __call__(self, name: VersionName, revision: int | None = None) -> Version:
        """Give the retired version.

        Raises ``VersionTransitionError``, ``VersionPinnedError``, ``VersionLastError``.
        """
        with self._transactions.writing() as records:
            mover = Mover(records, self._clock.now(), self._by)
            seen = mover.look(name, revision)
            after = seen.after(VersionEvent.RETIRE)
            mover.refuse_if_pinned(seen)
            mover.refuse_if_last(seen, after)
            return mover.move(seen, after, VersionEvent.RETIRE)
