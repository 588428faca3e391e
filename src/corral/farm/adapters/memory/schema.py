"""A schema in memory, of a farm whose records are there, too."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from corral.farm.domain.upgrade.schema import Half, ReleaseSchema, SchemaStep, SeenSchema

if TYPE_CHECKING:
    from collections.abc import Callable

    from corral.farm.application.ports.schema import Change, Choose
    from corral.farm.domain.access.audit import Entry

STEPS: Final = ReleaseSchema((SchemaStep("0001", Half.EXPAND, "initial"),))


@dataclass
class MemoryDatabaseSchema:
    """Contract steps close it to whoever does not know them."""

    own: ReleaseSchema = STEPS
    seen: SeenSchema = field(default_factory=lambda: SeenSchema("0001", "0001"))
    is_embedded: bool = True
    noted: list[Entry] = field(default_factory=list)

    def look(self) -> SeenSchema:
        """Give it."""
        return self.seen

    def change(self, choose: Choose, note: Callable[[SeenSchema, SeenSchema], Entry]) -> Change:
        """Take the steps."""
        before, chosen = self.seen, choose(self.seen)
        for step in chosen.steps:
            self.seen = replace(self.seen, revision=step.revision)
            if step.half is Half.CONTRACT:
                self.seen = replace(self.seen, readable_from=step.revision)
        if chosen.oldest_console is not None:
            self.seen = replace(self.seen, oldest_console=chosen.oldest_console)
        if self.seen != before:
            self.noted.append(note(before, self.seen))
        return chosen
