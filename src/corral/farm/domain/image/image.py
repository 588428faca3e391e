"""An image: a golden disk with its versions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NewType
from uuid import UUID

from corral.farm.domain.naming import checked_name

if TYPE_CHECKING:
    from datetime import datetime

ImageId = NewType("ImageId", UUID)
ImageName = NewType("ImageName", str)


def image_name(text: str) -> ImageName:
    """Check a name for an image."""
    return ImageName(checked_name("image", text))


@dataclass(frozen=True)
class Image:
    """A golden disk. It exists from its first published version on."""

    id: ImageId
    name: ImageName
    created_at: datetime
    description: str = ""
    last_number: int = 0
    """The highest version number ever given; numbers of deleted versions are not given again."""
