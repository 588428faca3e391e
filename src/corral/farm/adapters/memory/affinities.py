"""Affinities in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corral.farm.domain.delivery.affinity import SubnetBinding

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from corral.farm.adapters.memory.state import State
    from corral.farm.domain.delivery.ranking import Affinity


class MemoryAffinities:
    """Affinities by the image or the collection that says them."""

    def __init__(self, state: State) -> None:
        self._state = state

    def with_id(self, thing: UUID) -> SubnetBinding:
        """Give what the image or the collection with that id says."""
        return SubnetBinding(thing, self._state.affinities.get(thing))

    def all(self) -> Mapping[UUID, Affinity]:
        """Give all that say something."""
        return dict(self._state.affinities)

    def set_affinity(self, thing: UUID, affinity: Affinity | None) -> None:
        """Have it say that, or nothing any more."""
        if affinity is None:
            self._state.affinities.pop(thing, None)
        else:
            self._state.affinities[thing] = affinity
