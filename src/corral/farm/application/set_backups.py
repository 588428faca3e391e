"""Say where backups go, who can open them, and how many are kept."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from corral.farm.domain.backup.errors import BackupRulesChangedError

if TYPE_CHECKING:
    from pathlib import Path

    from corral.farm.application.ports.backups import BackupFiles
    from corral.farm.application.ports.records import Transactions
    from corral.farm.domain.backup.backup import BackupRules, Recipient


@dataclass(frozen=True)
class BackupRulesWish:
    """What is to be another way; none leaves a rule as it is."""

    folder: Path | None = None
    recipients: tuple[Recipient, ...] | None = None
    with_chunks: bool | None = None
    daily: int | None = None
    weekly: int | None = None
    monthly: int | None = None
    too_old_days: int | None = None

    def applied_to(self, rules: BackupRules) -> BackupRules:
        """Give the rules as they are to be; raises ``RetentionInvalidError`` and others."""
        of_rules = ("folder", "recipients", "with_chunks", "too_old_days")
        of_retention = ("daily", "weekly", "monthly")
        wished = {name: value for name, value in vars(self).items() if value is not None}
        retention = replace(
            rules.retention, **{name: wished[name] for name in of_retention if name in wished}
        )
        others = {name: wished[name] for name in of_rules if name in wished}
        return replace(rules, retention=retention, **others)


class SetBackups:
    """Changes single rules, and gives all of them as they are then."""

    def __init__(self, transactions: Transactions, files: BackupFiles) -> None:
        self._transactions = transactions
        self._files = files

    def __call__(self, wish: BackupRulesWish, revision: int | None = None) -> BackupRules:
        """Change what is wished for.

        Raises ``RecipientInvalidError``, what the rules raise, and ``BackupRulesChangedError`` if
        ``revision`` is given and is not that of the rules any more.
        """
        if wish.recipients is not None:
            self._files.check(wish.recipients)
        with self._transactions.writing() as records:
            seen = records.backup_rules.get()
            if revision not in {None, seen.revision}:
                raise BackupRulesChangedError
            rules = wish.applied_to(seen)
            if rules != seen:
                records.backup_rules.change(seen, rules)
            return records.backup_rules.get()
