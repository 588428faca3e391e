"""Releases on servers, for people and programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from corral.farm.domain.estate.releases import SeenReleases
    from corral.farm.domain.estate.server import Server
    from corral.farm.entrypoints.cli.output import Json


def releases_document(seen: SeenReleases | None) -> dict[str, Json] | None:
    """Show what a server said of its releases; none if it said nothing."""
    if seen is None:
        return None
    problem = seen.problem
    return {
        "running": seen.running,
        "installed": list(seen.installed),
        "order": seen.order,
        "ready": seen.is_ready,
        "supervised": seen.is_supervised,
        "resting": seen.is_resting,
        "problem": (
            None
            if problem is None
            else {"order": problem.order, "code": problem.code, "message": problem.message}
        ),
    }


def document_of(server: Server) -> dict[str, Json]:
    """Show what there is of a server's releases."""
    report = server.last_report
    return {
        "release": "" if report is None else report.release,
        "releases": releases_document(None if report is None else report.releases),
    }


def row_of(server: Server) -> tuple[str, ...]:
    """Give a line of the table: what runs and lies there, what was obeyed, what is wrong."""
    report = server.last_report
    seen = None if report is None else report.releases
    if seen is None:
        said = "" if report is None else report.release
        return (server.name, said or "unknown", "-", "-", "-", "-", "")
    states = (
        ("ready" if seen.is_ready else "not ready", True),
        ("resting", seen.is_resting),
    )
    problem = seen.problem
    return (
        server.name,
        seen.running,
        ", ".join(word for word, is_so in states if is_so),
        " ".join(seen.installed) or "-",
        str(seen.order or "-"),
        "yes" if seen.is_supervised else "no",
        "" if problem is None else f"order {problem.order}: {problem.message} ({problem.code})",
    )


HEADINGS = ("SERVER", "RUNS", "STATE", "INSTALLED", ">ORDER", "SUPERVISED", "PROBLEM")
