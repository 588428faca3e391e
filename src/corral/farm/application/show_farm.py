"""Show the farm itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from corral.farm.application.ports.records import Transactions
    from corral.farm.domain.estate.farm import Farm


@dataclass(frozen=True)
class FarmSummary:
    """The farm, and how much of everything it has."""

    farm: Farm
    servers: int
    images: int
    devices: int


class ShowFarm:
    """Gives the farm's own facts."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def __call__(self) -> FarmSummary:
        """Give the summary."""
        with self._transactions.reading() as records:
            return FarmSummary(
                farm=records.farm.get(),
                servers=len(records.servers.all()),
                images=len(records.images.all()),
                devices=len(records.devices.all()),
            )
