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
CAME_TO_OFFICE = "came_to_office_bytes"
"""The fact of a step: what its office fetched from the farm."""
CAME_TO_COMPUTERS = "came_to_computers_bytes"
"""The fact of a step: what the computers fetched, wherever from."""


@dataclass
class Report:
    """The result so far; a step that fails is the last."""

    steps: list[Step] = field(default_factory=list)
    failed_step: str | None = None
    error: str | None = None

    @property
    def ok(self) -> bool:
        """Whether every step was done."""
        return self.failed_step is None

    def total(self, fact: str) -> int:
        """Add up what all steps moved."""
        return sum(int(step.facts.get(fact, 0)) for step in self.steps)

    def to_json(self) -> Mapping[str, object]:
        """Give the file's content."""
        return {
            "format": FORMAT,
            "ok": self.ok,
            "failed_step": self.failed_step,
            "error": self.error,
            CAME_TO_OFFICE: self.total(CAME_TO_OFFICE),
            CAME_TO_COMPUTERS: self.total(CAME_TO_COMPUTERS),
            "steps": [asdict(step) for step in self.steps],
        }

    def write(self, file: Path) -> None:
        """Write the file beside its place and move it there, so that nobody reads half of it."""
        file.parent.mkdir(parents=True, exist_ok=True)
        unfinished = file.with_suffix(".incoming")
        unfinished.write_text(json.dumps(self.to_json(), indent=2) + "\n", encoding="utf-8")
        unfinished.replace(file)
