"""The course of an upgrade, as `corral upgrade status` tells it: followed, noted, waited for."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from demo.errors import TooLateError
from demo.upgrade.report import UpgradeStep
from demo.upgrade.timeline import Line, Mark

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from demo.display import Display
    from demo.upgrade.arrangement import Arrangement
    from demo.upgrade.devices import Watch

_PAUSE_SECONDS: Final = 0.5
_GAP_SECONDS: Final = 30.0
"""Asking takes its time on a machine that has much to do."""


@dataclass
class Course:
    """What was seen of all upgrades."""

    arrangement: Arrangement
    watch: Watch
    display: Display
    lines: dict[str, Line] = field(default_factory=dict)
    """Which release each server runs."""
    marks: list[Mark] = field(default_factory=list)
    _steps: dict[int, tuple[int, Mapping[str, Any]]] = field(default_factory=dict)
    _ends: dict[int, float] = field(default_factory=dict)
    _state: str = ""

    def look(self) -> Mapping[str, Any]:
        """Ask how far it is, and note what is new."""
        status = self.arrangement.ask("upgrade", "status", what="following the upgrade")
        upgrade = status["upgrade"]
        for step in status["steps"]:
            if step["generation"] not in self._steps:
                self._steps[step["generation"]] = (upgrade["number"], step)
                self.marks.append(Mark(self._at(step["adopted_at"]), _words(step)))
                self.display.fact(f"{self.watch.now():6.0f} s  {_words(step)}")
        if upgrade["state"] != self._state:
            self._state = upgrade["state"]
            self.display.fact(f"{self.watch.now():6.0f} s  the upgrade is {self._state}")
        self._ends[upgrade["number"]] = self._at(upgrade["changed_at"])
        for server in status["servers"]:
            line = self.lines.setdefault(server["server"], Line(server["server"], _GAP_SECONDS))
            line.see(self.watch.now(), server["release"] if server["online"] else None)
        return status

    def wait_for(
        self, what: str, condition: Callable[[Mapping[str, Any]], bool], within_seconds: float
    ) -> Mapping[str, Any]:
        """Follow it until something is so; give the status."""
        deadline = time.monotonic() + within_seconds
        while True:
            status = self.look()
            if condition(status):
                return status
            if time.monotonic() > deadline:
                message = f"not {what} within {within_seconds:.0f} s: {_standing(status)}"
                raise TooLateError(message)
            self.arrangement.expect_running()
            self.watch.pause(_PAUSE_SECONDS)

    def did(self, what: str) -> None:
        """Note what a person, or a mishap, does now."""
        self.marks.append(Mark(self.watch.now(), what, is_deed=True))
        self.display.fact(f"{self.watch.now():6.0f} s  {what}")

    def steps(self) -> list[UpgradeStep]:
        """Give all steps that were taken, with what each took until the next."""
        found = [self._steps[number] for number in sorted(self._steps)]
        begins = [self._at(step["adopted_at"]) for _, step in found]
        told = []
        for place, (number, step) in enumerate(found):
            is_last = place + 1 == len(found) or found[place + 1][0] != number
            end = max(self._ends[number], begins[place]) if is_last else begins[place + 1]
            told.append(
                UpgradeStep(
                    upgrade=number,
                    kind=step["kind"],
                    server=step["server"],
                    release=step["release"],
                    by=step["by"],
                    seconds=round(end - begins[place], 3),
                )
            )
        return told

    def _at(self, moment: str) -> float:
        return datetime.fromisoformat(moment).timestamp() - self.watch.began_on


def _words(step: Mapping[str, Any]) -> str:
    words = [step["kind"], step["server"] or "", f"to {step['release']}" if step["release"] else ""]
    return " ".join(word for word in words if word)


def _standing(status: Mapping[str, Any]) -> str:
    upgrade = status["upgrade"]
    words = [f"it is {upgrade['state']}", upgrade["why"], status["waits_for"]]
    words += [f"{one['risk']}: {one['message']}" for one in status["blocked"]]
    words += [f"{one['server']}: {one['problem']}" for one in status["servers"] if one["problem"]]
    return "; ".join(str(word) for word in words if word)
