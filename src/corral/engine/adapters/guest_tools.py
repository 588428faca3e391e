"""The guest tools that this release brings: a medium beside what Python imports of it.

In a kit, and in the computer's package, it is the file ``guest-tools-RELEASE.img``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import corral
from corral.engine.domain.releases import ReleaseInvalidError, numbers_of
from corral.guest.medium import release_in


@dataclass(frozen=True)
class ToolsMedium:
    """A disk with guest tools."""

    path: Path
    release: str


def find_tools() -> ToolsMedium | None:
    """Give the newest; None of a release that brings none."""
    site = Path(corral.__file__).parents[1]
    return newest_in(site.with_name("files"))


def newest_in(folder: Path) -> ToolsMedium | None:
    """Give the newest in a folder; what has another name is none."""
    found: list[tuple[tuple[int, ...], ToolsMedium]] = []
    for path in folder.glob("*"):
        release = release_in(path.name)
        if release is None:
            continue
        try:
            found.append((numbers_of(release), ToolsMedium(path, release)))
        except ReleaseInvalidError:
            continue
    return max(found, key=lambda one: one[0])[1] if found else None
