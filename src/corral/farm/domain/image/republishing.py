"""Images whose guest tools are older than those of the release in force."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from corral.farm.domain.image.version import VersionName
    from corral.farm.domain.library.release import Release


@dataclass(frozen=True)
class OlderTools:
    """Why an image is marked "republish needed"."""

    version: VersionName
    """The one that the next is built on."""
    inside: Release
    """The guest tools in it."""
    newer: Release
    """Those that the release in force puts into images."""

    def __str__(self) -> str:
        return f"{self.version} has guest tools {self.inside}, and {self.newer} are in force"
