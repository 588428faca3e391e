"""Say what is in a version."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from corral.farm.application.move_version import Mover
from corral.farm.domain.image.change import DESCRIBE

if TYPE_CHECKING:
    from corral.farm.application.ports.records import Transactions
    from corral.farm.application.ports.sources import Clock
    from corral.farm.domain.image.version import Version, VersionName


class DescribeVersion:
    """Gives a version another description; the one before stays in its history."""

    def __init__(self, transactions: Transactions, clock: Clock, by: str = "") -> None:
        self._transactions = transactions
        self._clock = clock
        self._by = by

    def __call__(self, name: VersionName, description: str, revision: int | None = None) -> Version:
        """Give the version; raises ``VersionUnknownError``, ``VersionChangedError``."""
        with self._transactions.writing() as records:
            mover = Mover(records, self._clock.now(), self._by)
            seen = mover.look(name, revision)
            after = replace(seen, description=description)
            return mover.move(seen, after, DESCRIBE, seen.description)
