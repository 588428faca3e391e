"""What was done to a version, when and by whom."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from datetime import datetime

    from corral.farm.domain.image.image import ImageId
    from corral.farm.domain.image.version import VersionNumber

# What happens to a version without moving it.
PUBLISH: Final = "publish"
DESCRIBE: Final = "describe"
PIN: Final = "pin"
UNPIN: Final = "unpin"
ADOPT: Final = "adopt"
"""From servers, after the farm was restored."""


@dataclass(frozen=True)
class VersionChange:
    """One line of a version's history."""

    image_id: ImageId
    number: VersionNumber
    at: datetime
    by: str
    """The person, or ``farm`` for what nobody asked for at that moment."""
    what: str
    """The event of the table, or one of the words above."""
    note: str = ""
    """The date of a release, say."""
