"""The history of versions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from corral.farm.domain.image.change import VersionChange
    from corral.farm.domain.image.image import ImageId
    from corral.farm.domain.image.version import VersionNumber


class VersionChanges(Protocol):
    """Lines that are added and never changed."""

    def note(self, change: VersionChange) -> None:
        """Add a line to the version's history."""
        ...

    def of_version(self, image_id: ImageId, number: VersionNumber) -> Sequence[VersionChange]:
        """Give a version's history, in the order in which it was noted."""
        ...
