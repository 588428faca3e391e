"""Create a farm."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corral.farm.domain.estate.farm import ApiUrl, Farm, FarmId, FarmName

if TYPE_CHECKING:
    from corral.farm.application.ports.farm_key import FarmKey
    from corral.farm.application.ports.records import Transactions
    from corral.farm.application.ports.sources import Clock, IdSource


class CreateFarm:
    """Makes the records, the signing key and the farm itself.

    Killed half way, it can be called again: records and key that are there are used.
    """

    def __init__(
        self, transactions: Transactions, key: FarmKey, ids: IdSource, clock: Clock
    ) -> None:
        self._transactions = transactions
        self._key = key
        self._ids = ids
        self._clock = clock

    def __call__(self, name: FarmName, api_urls: tuple[ApiUrl, ...]) -> Farm:
        """Give the new farm; raises ``FarmExistsError``."""
        self._transactions.set_up()
        farm = Farm(
            id=FarmId(self._ids.new()),
            name=name,
            public_key=self._key.create(),
            api_urls=api_urls,
            created_at=self._clock.now(),
        )
        with self._transactions.writing() as records:
            records.farm.set_up(farm)
        return farm
