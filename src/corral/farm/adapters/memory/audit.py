"""The audit log in memory."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from corral.farm.domain.access.audit import NotedEntry

if TYPE_CHECKING:
    from collections.abc import Sequence

    from corral.farm.adapters.memory.state import State
    from corral.farm.domain.access.audit import AuditFilter, Entry


class MemoryAudit:
    """A list that only grows."""

    def __init__(self, state: State) -> None:
        self._state = state

    def note(self, entry: Entry) -> None:
        """Add one."""
        self._state.audit.append(entry)

    def newest(
        self, wanted: AuditFilter, limit: int, before: int | None = None
    ) -> Sequence[NotedEntry]:
        """Go back from the last one."""
        noted = [NotedEntry(place, entry) for place, entry in enumerate(self._state.audit, 1)]
        matching = (
            one
            for one in reversed(noted)
            if (before is None or one.number < before) and wanted.takes(one.entry)
        )
        return list(islice(matching, limit))
