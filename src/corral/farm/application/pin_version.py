"""Hold production devices to one version."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from corral.farm.application.move_version import Mover
from corral.farm.domain.image.change import PIN, UNPIN, VersionChange
from corral.farm.domain.image.standing import Standing
from corral.farm.domain.image.version_errors import VersionNotReleasedError

if TYPE_CHECKING:
    from corral.farm.application.ports.records import Transactions
    from corral.farm.application.ports.sources import Clock
    from corral.farm.domain.image.image import Image, ImageName
    from corral.farm.domain.image.version import VersionName


class PinVersion:
    """Has production devices start one released version, whatever is released later."""

    def __init__(self, transactions: Transactions, clock: Clock, by: str = "") -> None:
        self._transactions = transactions
        self._clock = clock
        self._by = by

    def __call__(self, name: VersionName) -> Image:
        """Give the image with its pin; raises ``VersionNotReleasedError``."""
        now = self._clock.now()
        with self._transactions.writing() as records:
            version = Mover(records, now, self._by).look(name)
            if version.standing is not Standing.PRODUCTION:
                raise VersionNotReleasedError(str(name), version.standing.phrase)
            seen = records.images.with_id(version.image_id)
            after = replace(seen, pinned=version.number).changed()
            records.images.change(seen, after)
            records.version_changes.note(
                VersionChange(version.image_id, version.number, now, self._by, PIN)
            )
            return after


class UnpinImage:
    """Has production devices start the newest released version again."""

    def __init__(self, transactions: Transactions, clock: Clock, by: str = "") -> None:
        self._transactions = transactions
        self._clock = clock
        self._by = by

    def __call__(self, name: ImageName) -> Image:
        """Give the image without a pin; quietly done if it had none."""
        now = self._clock.now()
        with self._transactions.writing() as records:
            seen = records.images.get(name)
            if seen.pinned is None:
                return seen
            after = replace(seen, pinned=None).changed()
            records.images.change(seen, after)
            records.version_changes.note(VersionChange(seen.id, seen.pinned, now, self._by, UNPIN))
            return after
