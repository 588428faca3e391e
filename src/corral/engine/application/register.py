"""Have this computer belong to a farm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from corral.engine.domain.failures import AlreadyRegisteredError
from corral.engine.domain.orders import Standing

if TYPE_CHECKING:
    from collections.abc import Callable

    from corral.engine.application.ports import (
        AskedRegistration,
        Facts,
        Farm,
        FarmPlace,
        Records,
    )

_ASKS_AGAIN = frozenset({Standing.WAITING, Standing.RECYCLED})


@dataclass(frozen=True)
class Register:
    """Registers with a one-time code, or asks to be approved. Repeating it does no harm."""

    records: Records
    farm: Farm
    facts: Callable[[], Facts]

    def __call__(self, asked: AskedRegistration) -> FarmPlace:
        """Register with a farm; raises what it refuses."""
        place = self.records.place()
        if place is not None and place.standing not in _ASKS_AGAIN:
            raise AlreadyRegisteredError(place.farm_name)
        answered = self.farm.register(asked, self.facts())
        self.records.keep_place(answered)
        return answered
