"""Make a version of what a device wrote."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from corral.farm.application.observing import refuse_to_change
from corral.farm.application.writers import (
    OverlayView,
    refuse_if_written,
    view_of,
    writable_of,
)
from corral.farm.domain.image.overlay_errors import NothingWrittenError
from corral.farm.domain.image.version_errors import ReleaseInPastError

if TYPE_CHECKING:
    from datetime import datetime

    from corral.farm.application.ports.records import Records, Transactions
    from corral.farm.application.ports.sources import Clock
    from corral.farm.domain.image.image import ImageName
    from corral.farm.domain.image.overlay import Overlay, Promotion


class PromoteMaintenance:
    """Has the server that keeps what a device wrote seal it; its report publishes the version.

    Until then nobody starts it, the device that wrote it among them. Killed at any moment, the
    server begins again: sealing reads what was written and changes nothing of it.
    """

    def __init__(self, transactions: Transactions, clock: Clock, by: str = "") -> None:
        self._transactions = transactions
        self._clock = clock
        self._by = by

    def __call__(
        self, name: ImageName, promotion: Promotion, *, even_if_unchanged: bool = False
    ) -> OverlayView:
        """Give what is being sealed.

        Raises ``MaintenanceUnknownError``, ``WriterOnError`` while the device is on,
        ``OverlayTransitionError`` if it is being sealed already, ``ReleaseInPastError``,
        ``FarmObservesError``, and, not ``even_if_unchanged``, ``NothingWrittenError`` if its server
        is heard of and says so.
        """
        now = self._clock.now()
        at = promotion.release_at
        if at is not None and at <= now:
            raise ReleaseInPastError(name, at, now)
        with self._transactions.writing() as records:
            refuse_to_change(records)
            overlay = writable_of(records, records.images.get(name))
            sealing = overlay.sealing(replace(promotion, by=self._by))
            refuse_if_written(records, overlay)
            if not even_if_unchanged:
                _refuse_if_untouched(records, overlay, now)
            records.overlays.change(overlay, sealing.changed())
            records.farm.raise_generation()
            return view_of(records, records.overlays.with_id(overlay.id))


def _refuse_if_untouched(records: Records, overlay: Overlay, now: datetime) -> None:
    view = view_of(records, overlay)
    # What one that went silent said last may be long over.
    if overlay.is_untouched and view.server.may_be_relied_on(now):
        raise NothingWrittenError(view.image.name, view.device.name, view.server.name)
