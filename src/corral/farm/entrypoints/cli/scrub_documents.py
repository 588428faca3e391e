"""What commands print of scrubs: the JSON, whose fields are never renamed, and the words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corral.farm.entrypoints.cli.output import human_size, human_time

if TYPE_CHECKING:
    from datetime import timedelta

    from corral.farm.application.scrub_store import ScrubReport
    from corral.farm.domain.estate.scrub import ScrubPass, ScrubPolicy, SeenScrub
    from corral.farm.entrypoints.cli.output import Json


def policy(of: ScrubPolicy) -> dict[str, Json]:
    """Show a policy."""
    return {"rate": of.rate, "every_seconds": round(of.every.total_seconds())}


def seen_scrub(scrub: SeenScrub) -> dict[str, Json]:
    """Show what a server said."""
    return {
        "under_way": _pass(scrub.under_way),
        "last": _pass(scrub.last),
        "passes": scrub.passes,
        "checked_bytes": scrub.checked_bytes,
        "damaged_chunks": scrub.damaged_chunks,
        "healed_chunks": scrub.healed_chunks,
        "unhealed_chunks": scrub.unhealed_chunks,
        "problem": scrub.problem,
    }


def _pass(one: ScrubPass | None) -> Json:
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


def scrub_report(report: ScrubReport) -> dict[str, Json]:
    """Show what a pass came to."""
    scrub = report.scrub
    return {
        "server": report.server.name,
        "sound": scrub.is_sound,
        "checked_bytes": scrub.checked_bytes,
        "damaged_chunks": scrub.damaged_chunks,
        "healed_chunks": scrub.healed_chunks,
        "unhealed_chunks": scrub.unhealed_chunks,
        "affected": [str(name) for name in report.affected],
    }


def policy_words(of: ScrubPolicy) -> str:
    """Say a policy."""
    if of.is_off:
        return "off"
    return f"a pass every {_interval(of.every)}, at {human_size(of.rate)}/s at the most"


def seen_words(scrub: SeenScrub | None) -> str:
    """Say in a line how far a server is, and what it found."""
    if scrub is None:
        return "nothing known"
    last, now = scrub.last, scrub.under_way
    ended = None if last is None else last.finished_at
    said = ["no pass ended yet" if ended is None else f"last pass ended {human_time(ended)}"]
    if now is not None:
        said.append(f"{now.percent} % of the next" if ended else f"{now.percent} % of the first")
    if scrub.damaged_chunks:
        said.append(f"damaged chunks: {scrub.damaged_chunks}, healed: {scrub.healed_chunks}")
    if scrub.unhealed_chunks:
        said.append(f"NOT HEALED: {scrub.unhealed_chunks}")
    if scrub.problem:
        said.append(scrub.problem)
    return "; ".join(said)


def _interval(every: timedelta) -> str:
    minutes = round(every.total_seconds() / 60)
    if minutes % 1440 == 0:
        return f"{minutes // 1440} days"
    return f"{minutes // 60} hours" if minutes % 60 == 0 else f"{minutes} minutes"
