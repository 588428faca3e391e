"""Take a version back from those who may start it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corral.farm.application.move_version import Mover
from corral.farm.domain.image.standing import Standing, VersionEvent
from corral.farm.domain.image.version import Access, newest_published
from corral.farm.domain.image.version_errors import VersionNotNewestError

if TYPE_CHECKING:
    from corral.farm.application.ports.records import Transactions
    from corral.farm.application.ports.sources import Clock
    from corral.farm.domain.image.version import Version, VersionName


class RevertVersion:
    """Takes the newest version back to test or to maintenance; a retired one comes back to test.

    Devices that run it go on: what they have never changes under them.
    """

    def __init__(self, transactions: Transactions, clock: Clock, by: str = "") -> None:
        self._transactions = transactions
        self._clock = clock
        self._by = by

    def __call__(self, name: VersionName, to: Access, revision: int | None = None) -> Version:
        """Give the version as it stands then.

        Raises ``VersionTransitionError``, ``VersionNotNewestError``, ``VersionPinnedError``, and
        ``VersionLastError`` if a device could start nothing any more.
        """
        event = (
            VersionEvent.REVERT_TO_MAINTENANCE
            if to is Access.MAINTENANCE
            else VersionEvent.REVERT_TO_TEST
        )
        with self._transactions.writing() as records:
            mover = Mover(records, self._clock.now(), self._by)
            seen = mover.look(name, revision)
            after = seen.after(event)
            if seen.standing is not Standing.RETIRED:
                newest = newest_published(records.versions.of_image(seen.image_id))
                if newest is not None and newest.number > seen.number:
                    raise VersionNotNewestError(str(name), str(newest.name))
            mover.refuse_if_pinned(seen)
            mover.refuse_if_last(seen, after)
            return mover.move(seen, after, event)
