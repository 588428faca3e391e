"""Let more devices start a version."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from corral.farm.application.move_version import Mover
from corral.farm.application.note_releases import note_releases
from corral.farm.domain.image.standing import Standing, VersionEvent
from corral.farm.domain.image.version import Access
from corral.farm.domain.image.version_errors import ReleaseInPastError

if TYPE_CHECKING:
    from datetime import datetime

    from corral.farm.application.ports.records import Transactions
    from corral.farm.application.ports.sources import Clock
    from corral.farm.domain.image.version import Version, VersionName


@dataclass(frozen=True)
class PromotionRequest:
    """Which version, and for whom from now on."""

    version: VersionName
    to: Access = Access.PRODUCTION
    release_at: datetime | None = None
    """None to release it as soon as every server that must serve it has it."""
    revision: int | None = None
    """Refuse if it was changed since."""


class PromoteVersion:
    """Promotes a version to test or to production; one that is pending gets another date."""

    def __init__(self, transactions: Transactions, clock: Clock, by: str = "") -> None:
        self._transactions = transactions
        self._clock = clock
        self._by = by

    def __call__(self, request: PromotionRequest) -> Version:
        """Give the version as it stands then: pending, or released at once if nothing is awaited.

        Raises ``VersionTransitionError``, ``ReleaseInPastError``, ``VersionChangedError``.
        """
        now = self._clock.now()
        name, at = request.version, request.release_at
        if at is not None and at <= now:
            raise ReleaseInPastError(str(name), at, now)
        with self._transactions.writing() as records:
            mover = Mover(records, now, self._by)
            seen = mover.look(name, request.revision)
            if request.to is Access.TEST:
                event = VersionEvent.PROMOTE_TO_TEST
                after = seen.after(event)
            elif seen.standing is Standing.PENDING:
                event = VersionEvent.SCHEDULE
                after = seen.scheduled(at)
            else:
                event = VersionEvent.PROMOTE_TO_PRODUCTION
                after = seen.promoted(at)
            mover.move(seen, after, event, "" if at is None else at.isoformat())
            note_releases(records, (records.versions.get(name),), now)
            return records.versions.get(name)
