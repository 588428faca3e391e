"""A worker: a process that runs tasks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from datetime import datetime

    from corral.farm.domain.estate.server import ServerName

BEAT: Final = timedelta(seconds=1)
"""How often a worker gives a sign of life, for itself and for each of its tasks."""

SILENCE: Final = timedelta(seconds=15)
"""How long a worker may be silent before its tasks go on elsewhere.

Longer than a database takes to change over to its standby; a worker that was silent for so long by
its own clock stops its tasks itself.
"""


@dataclass(frozen=True)
class Worker:
    """One that was heard of."""

    name: str
    servers: tuple[ServerName, ...] | None
    """Whose stores it reaches; ``None``: all of them."""
    seen_at: datetime
    account_problem: str = ""
    """Why the database gives it no new connection; empty if it does."""
    left_step: str = ""
    """The kind of an upgrade's step that it left to others when it last looked, because its machine
    lacks the programs for it; empty if it left none."""

    def reaches(self, server: ServerName | None) -> bool:
        """Whether it can run what needs the store of ``server``."""
        return server is None or self.servers is None or server in self.servers

    def is_alive(self, now: datetime) -> bool:
        """Whether it was heard of recently."""
        return now - self.seen_at < SILENCE
