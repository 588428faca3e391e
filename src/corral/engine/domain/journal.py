"""What is worth telling of a machine, found by comparing its record before and after a change."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from corral.engine.domain.machine.stage import Stage
from corral.engine.domain.machine.tools_record import ToolsStage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from corral.engine.domain.machine.record import Machine


class Severity(StrEnum):
    """How much an event matters."""

    INFORMATION = "information"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True)
class Notice:
    """Something that happened."""

    severity: Severity
    code: str
    text: str
    image: str | None = None


@dataclass(frozen=True)
class Entry:
    """A notice in the journal; its number is never used again on this computer."""

    number: int
    at: int
    notice: Notice


_STAGES = {
    Stage.READY: "is ready and is taken at the next start",
    Stage.PROVEN: "has proven itself",
}


def notices(before: Machine | None, after: Machine) -> Iterator[Notice]:
    """Give what is worth telling of a change."""
    image = after.key.image
    version = after.candidate or after.current
    name = after.key.image if version is None else version.name
    stage = None if before is None else before.stage
    if after.given_up is not None and (before is None or before.given_up != after.given_up):
        given_up = after.given_up
        yield Notice(Severity.WARNING, given_up.code, given_up.problem, image)
    yield from _tools(before, after)
    if stage is after.stage:
        return
    if after.stage is Stage.FAILED:
        yield Notice(Severity.ERROR, after.code, f"{after.key}: {after.problem}", image)
    elif after.stage is Stage.WENT_BACK:
        yield Notice(Severity.WARNING, "went-back", f"{name} is in place again and works", image)
    elif after.stage in _STAGES:
        yield Notice(
            Severity.INFORMATION, str(after.stage), f"{name} {_STAGES[after.stage]}", image
        )


def _tools(before: Machine | None, after: Machine) -> Iterator[Notice]:
    tools = after.tools
    if tools is None or (before is not None and before.tools == tools):
        return
    if tools.stage is ToolsStage.KEPT:
        text = f"{after.key} has guest tools {tools.release} now"
        yield Notice(Severity.INFORMATION, "tools-updated", text, after.key.image)
    elif tools.stage is ToolsStage.GIVEN_UP:
        text = f"{after.key}: {tools.problem}"
        yield Notice(Severity.WARNING, tools.code, text, after.key.image)
