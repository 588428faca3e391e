"""Who says how much a device is bound to servers of its subnet: its collection, or its image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from corral.farm.domain.delivery.ranking import Affinity

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from corral.farm.domain.estate.collection import CollectionId
    from corral.farm.domain.image.image import ImageId


@dataclass(frozen=True)
class SubnetBinding:
    """What an image or a collection says."""

    id: UUID
    affinity: Affinity | None = None
    """Nothing, if another is to say it."""


def affinity_of(
    said: Mapping[UUID, Affinity], collection: CollectionId, image: ImageId
) -> Affinity:
    """Give the collection's word, else the image's; a device is bound to nothing otherwise."""
    return said.get(collection) or said.get(image) or Affinity.NONE
