"""The history of versions in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from corral.farm.adapters.memory.state import State
    from corral.farm.domain.image.change import VersionChange
    from corral.farm.domain.image.image import ImageId
    from corral.farm.domain.image.version import VersionNumber


class MemoryVersionChanges:
    """Lines in the order in which they came."""

    def __init__(self, state: State) -> None:
        self._state = state

    def note(self, change: VersionChange) -> None:
        """Add a line."""
        self._state.version_changes = (*self._state.version_changes, change)

    def of_version(self, image_id: ImageId, number: VersionNumber) -> Sequence[VersionChange]:
        """Give a version's lines."""
        wanted = (image_id, number)
        return [one for one in self._state.version_changes if (one.image_id, one.number) == wanted]
