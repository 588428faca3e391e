"""Release a version without waiting any longer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corral.farm.application.move_version import Mover
from corral.farm.application.note_releases import wait_of
from corral.farm.domain.image.errors import VersionNotHeldError
from corral.farm.domain.image.standing import VersionEvent

if TYPE_CHECKING:
    from corral.farm.application.ports.records import Transactions
    from corral.farm.application.ports.sources import Clock
    from corral.farm.domain.image.version import Version, VersionName


class ReleaseVersion:
    """Waits neither for a version's date nor for the servers that lack some of it."""

    def __init__(self, transactions: Transactions, clock: Clock, by: str = "") -> None:
        self._transactions = transactions
        self._clock = clock
        self._by = by

    def __call__(self, name: VersionName, revision: int | None = None) -> Version:
        """Give the released version.

        Raises ``VersionTransitionError``, ``VersionNotHeldError`` if no server has all of it.
        """
        now = self._clock.now()
        with self._transactions.writing() as records:
            mover = Mover(records, now, self._by)
            seen = mover.look(name, revision)
            released = seen.released(now)
            if not any(replica.is_complete for replica in records.replicas.of_root(seen.root)):
                raise VersionNotHeldError(str(name), None)
            waited_for = str(wait_of(records, seen, now))
            return mover.move(seen, released, VersionEvent.RELEASE, waited_for)
