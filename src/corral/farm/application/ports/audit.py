"""The audit log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from corral.farm.domain.access.audit import AuditFilter, Entry, NotedEntry


class Audit(Protocol):
    """Entries are only ever added: there is no verb that changes or removes one."""

    def note(self, entry: Entry) -> None:
        """Add an entry. It is kept if the transaction is, with the change that it tells of."""
        ...

    def newest(
        self, wanted: AuditFilter, limit: int, before: int | None = None
    ) -> Sequence[NotedEntry]:
        """Give at most ``limit`` entries, the newest first, with numbers under ``before``."""
        ...
