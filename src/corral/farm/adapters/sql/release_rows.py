"""What a server last said of its releases, from the JSON of one column."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from corral.farm.domain.estate.releases import ReleaseProblem, SeenReleases

if TYPE_CHECKING:
    from collections.abc import Mapping


def releases_from(values: Mapping[str, Any]) -> SeenReleases:
    """Read it again."""
    problem = values["problem"]
    return SeenReleases(
        running=values["running"],
        installed=tuple(values["installed"]),
        order=values["order"],
        is_ready=values["is_ready"],
        is_supervised=values["is_supervised"],
        is_resting=values["is_resting"],
        problem=None if problem is None else ReleaseProblem(**problem),
    )
