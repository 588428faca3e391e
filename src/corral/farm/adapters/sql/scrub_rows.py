"""What a server last said of its scrub, as the JSON of one column."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from corral.farm.domain.estate.scrub import ScrubPass, SeenScrub

if TYPE_CHECKING:
    from collections.abc import Mapping


def scrub_values(scrub: SeenScrub) -> dict[str, object]:
    """Give what a server last said of its scrub, as JSON."""
    return {
        "under_way": _pass_values(scrub.under_way),
        "last": _pass_values(scrub.last),
        "passes": scrub.passes,
        "checked_bytes": scrub.checked_bytes,
        "damaged_chunks": scrub.damaged_chunks,
        "healed_chunks": scrub.healed_chunks,
        "unhealed_chunks": scrub.unhealed_chunks,
        "problem": scrub.problem,
    }


def scrub_from(values: Mapping[str, Any]) -> SeenScrub:
    """Read it again."""
    return SeenScrub(
        under_way=_pass_from(values["under_way"]),
        last=_pass_from(values["last"]),
        passes=values["passes"],
        checked_bytes=values["checked_bytes"],
        damaged_chunks=values["damaged_chunks"],
        healed_chunks=values["healed_chunks"],
        unhealed_chunks=values["unhealed_chunks"],
        problem=values["problem"],
    )


def _pass_values(one: ScrubPass | None) -> dict[str, object] | None:
    if one is None:
        return None
    return {
        "started_at": one.started_at.isoformat(),
        "finished_at": None if one.finished_at is None else one.finished_at.isoformat(),
        "total_bytes": one.total_bytes,
        "checked_bytes": one.checked_bytes,
        "damaged_chunks": one.damaged_chunks,
        "healed_chunks": one.healed_chunks,
    }


def _pass_from(values: Mapping[str, Any] | None) -> ScrubPass | None:
    if values is None:
        return None
    finished_at = values["finished_at"]
    return ScrubPass(
        started_at=datetime.fromisoformat(values["started_at"]),
        finished_at=None if finished_at is None else datetime.fromisoformat(finished_at),
        total_bytes=values["total_bytes"],
        checked_bytes=values["checked_bytes"],
        damaged_chunks=values["damaged_chunks"],
        healed_chunks=values["healed_chunks"],
    )
