"""How far tasks are, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corral.farm.entrypoints.cli.output import human_size

if TYPE_CHECKING:
    from corral.farm.domain.task.task import Task


def done(task: Task) -> str:
    """Say how far it is."""
    progress = task.progress
    if task.request.kind.counts == "devices":
        total = progress.total_bytes
        return "-" if total is None else f"{progress.done_bytes} of {total} devices"
    if not progress.total_bytes:
        return human_size(progress.done_bytes) if progress.done_bytes else "-"
    percent = 100 * progress.done_bytes // progress.total_bytes
    return f"{percent}% of {human_size(progress.total_bytes)}"


def pace(task: Task) -> str:
    """Say how fast it goes on."""
    per_second = task.progress.per_second
    if task.request.kind.counts == "devices":
        return f"{60 * per_second:.0f} devices a minute"
    return f"{human_size(per_second)}/s"


def left(task: Task) -> str:
    """Say how long it still takes, at its pace."""
    seconds = task.progress.seconds_left
    if task.state != "running" or seconds is None:
        return "-"
    return f"{seconds:.0f} s at {pace(task)}"
