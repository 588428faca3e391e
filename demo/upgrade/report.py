"""What the demonstration found, as a file for programs."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from demo.report import Step

FORMAT = 1


@dataclass(frozen=True)
class UpgradeStep:
    """One step that the farm took."""

    upgrade: int
    kind: str
    server: str | None
    release: str | None
    by: str
    seconds: float
    """Until the next one was taken, or the upgrade's state changed."""


@dataclass
class Report:
    """The result so far; a step that fails is the last."""

    namespaces: bool = False
    guest: bool = False
    devices: int = 0
    steps: list[Step] = field(default_factory=list)
    upgrade_steps: list[UpgradeStep] = field(default_factory=list)
    io_errors: int = 0
    longest_stall_ms: float | None = None
    longest_stall_of: str | None = None
    """The device that had it."""
    machines_killed: list[str] = field(default_factory=list)
    paused_because: str | None = None
    rolled_back: bool = False
    finalised: bool = False
    failed_step: str | None = None
    error: str | None = None

    @property
    def ok(self) -> bool:
        """Whether every step was done, and no read failed."""
        return self.failed_step is None and self.io_errors == 0

    def note_stall(self, device: str, milliseconds: float) -> None:
        """Remember the longest stall of all."""
        if self.longest_stall_ms is None or milliseconds > self.longest_stall_ms:
            self.longest_stall_ms, self.longest_stall_of = milliseconds, device

    def to_json(self) -> Mapping[str, object]:
        """Give the file's content."""
        return {"format": FORMAT, "ok": self.ok, **asdict(self)}

    def write(self, file: Path) -> None:
        """Write the file beside its place and move it there, so that nobody reads half of it."""
        file.parent.mkdir(parents=True, exist_ok=True)
        unfinished = file.with_suffix(".incoming")
        unfinished.write_text(json.dumps(self.to_json(), indent=2) + "\n", encoding="utf-8")
        unfinished.replace(file)
