"""An image: a golden disk with its versions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, NewType
from uuid import UUID

from corral.farm.domain.image.write_cache import PLAIN_CACHE, CacheSetting, ImageMode
from corral.farm.domain.naming import checked_name

if TYPE_CHECKING:
    from datetime import datetime

    from corral.farm.domain.estate.server import ServerId
    from corral.farm.domain.image.version import VersionNumber

ImageId = NewType("ImageId", UUID)
ImageName = NewType("ImageName", str)


def image_name(text: str) -> ImageName:
    """Check a name for an image."""
    return ImageName(checked_name("image", text))


class Content(StrEnum):
    """What the versions of an image are."""

    DISK = "disk"
    """Disks that machines start from."""
    KIT = "kit"
    """Kits of one component; the library's, which nobody starts from."""
    MEDIA = "media"
    """A disc image; the library's, too."""


@dataclass(frozen=True)
class Image:
    """A golden disk. It exists from its first published version on.

    What the library holds is kept in the same way, so that it flows to servers, is verified, healed
    and deleted like everything else; only its ``content`` says that no machine starts from it.
    """

    id: ImageId
    name: ImageName
    created_at: datetime
    description: str = ""
    last_number: int = 0
    """The highest version number ever given; numbers of deleted versions are not given again, nor
    are those of an image of the same name that was removed."""
    mode: ImageMode = ImageMode.SHARED
    write_cache: CacheSetting = PLAIN_CACHE
    pinned: VersionNumber | None = None
    """What production devices start, in place of the newest that is released."""
    only_server: ServerId | None = None
    """The one server that its devices use, whoever else holds its versions; none for all."""
    revision: int = 1
    content: Content = Content.DISK

    def changed(self) -> Image:
        """Give the image with the mark that it was changed once more."""
        return replace(self, revision=self.revision + 1)
