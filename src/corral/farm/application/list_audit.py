"""Tell what was changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from corral.farm.application.ports.records import Transactions
    from corral.farm.domain.access.audit import AuditFilter, NotedEntry

MOST_AT_ONCE: Final = 1000


class ListAudit:
    """Goes back through the audit log, page by page."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def __call__(
        self, wanted: AuditFilter, limit: int = 100, before: int | None = None
    ) -> Sequence[NotedEntry]:
        """Give entries, the newest first; the next page is that ``before`` the last number."""
        with self._transactions.reading() as records:
            return records.audit.newest(wanted, max(1, min(limit, MOST_AT_ONCE)), before)
