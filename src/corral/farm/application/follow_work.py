"""See how far work is that servers and devices do by themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from corral.farm.application.writers import writable_of
from corral.farm.domain.image.overlay_errors import MaintenanceUnknownError

if TYPE_CHECKING:
    from corral.farm.application.ports.records import Transactions
    from corral.farm.domain.image.image import ImageName
    from corral.farm.domain.image.overlay import OverlayPhase
    from corral.farm.domain.image.version import Version


class CountMoves:
    """Counts the devices that were asked to move and have not gone yet."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def __call__(self) -> int:
        """Give their number."""
        with self._transactions.reading() as records:
            return len(records.moves.in_progress())


@dataclass(frozen=True)
class Sealing:
    """How far an image's sealing is."""

    phase: OverlayPhase | None
    """Of what is to be sealed; none if there is nothing that could be."""
    problem: str
    """What its server last said of it."""
    newest: Version | None
    """The newest version that there is, whatever its access."""


class FollowSealing:
    """Tells how far an image's sealing is."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def __call__(self, name: ImageName) -> Sealing:
        """Look; raises ``ImageUnknownError``."""
        with self._transactions.reading() as records:
            image = records.images.get(name)
            versions = records.versions.of_image(image.id)
            newest = versions[-1] if versions else None
            try:
                overlay = writable_of(records, image)
            except MaintenanceUnknownError:
                return Sealing(None, "", newest)
        problem = "" if overlay.seen is None else overlay.seen.problem
        return Sealing(overlay.phase, problem, newest)
