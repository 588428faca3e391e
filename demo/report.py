"""What the demonstration found, as a file for programs and a table for people."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FORMAT = 1


@dataclass
class Step:
    """One of the steps: what it took and what it moved."""

    name: str
    seconds: float = 0.0
    facts: dict[str, int | float | str | bool] = field(default_factory=dict)
    ok: bool = False


@dataclass
class Report:
    """The result so far; a step that fails is the last."""

    guest: bool
    image: str
    steps: list[Step] = field(default_factory=list)
    io_errors: int = 0
    longest_stall_ms: float | None = None
    version_before: int | None = None
    version_after: int | None = None
    failed_step: str | None = None
    error: str | None = None

    @property
    def ok(self) -> bool:
        """Whether every step was done."""
        return self.failed_step is None

    def note_stall(self, milliseconds: float) -> None:
        """Remember the longest stall of all."""
        self.longest_stall_ms = max(self.longest_stall_ms or 0.0, milliseconds)

    def to_json(self) -> Mapping[str, object]:
        """Give the file's content."""
        return {
            "format": FORMAT,
            "ok": self.ok,
            "failed_step": self.failed_step,
            "error": self.error,
            "guest": self.guest,
            "image": self.image,
            "io_errors": self.io_errors,
            "longest_stall_ms": self.longest_stall_ms,
            "version_before": self.version_before,
            "version_after": self.version_after,
            "steps": [asdict(step) for step in self.steps],
        }

    def write(self, file: Path) -> None:
        """Write the file beside its place and move it there, so that nobody reads half of it."""
        file.parent.mkdir(parents=True, exist_ok=True)
        unfinished = file.with_suffix(".incoming")
        unfinished.write_text(json.dumps(self.to_json(), indent=2) + "\n", encoding="utf-8")
        unfinished.replace(file)
