"""Give up what a device wrote over an image."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corral.farm.application.observing import refuse_to_change
from corral.farm.application.writers import OverlayView, refuse_if_written, view_of, writable_of

if TYPE_CHECKING:
    from corral.farm.application.ports.records import Transactions
    from corral.farm.domain.image.image import ImageName


class DiscardMaintenance:
    """Ends the maintenance of an image without a version; a custom image begins anew."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def __call__(self, name: ImageName) -> OverlayView:
        """Give what was given up; its server removes it.

        Raises ``MaintenanceUnknownError``, ``WriterOnError``, ``FarmObservesError``.
        """
        with self._transactions.writing() as records:
            refuse_to_change(records)
            overlay = writable_of(records, records.images.get(name))
            refuse_if_written(records, overlay)
            view = view_of(records, overlay)
            records.overlays.remove(overlay.id)
            records.farm.raise_generation()
            return view
