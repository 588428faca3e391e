"""How much devices are bound to servers of their own subnet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from corral.farm.domain.delivery.affinity import SubnetBinding
    from corral.farm.domain.delivery.ranking import Affinity


class Affinities(Protocol):
    """What images and collections say; most say nothing."""

    def with_id(self, thing: UUID) -> SubnetBinding:
        """Give what the image or the collection with that id says."""
        ...

    def all(self) -> Mapping[UUID, Affinity]:
        """Give all that say something."""
        ...

    def set_affinity(self, thing: UUID, affinity: Affinity | None) -> None:
        """Have it say that, or nothing any more."""
        ...
