"""Say where files for the library are looked for."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from corral.farm.domain.library.rules import LibraryRulesChangedError

if TYPE_CHECKING:
    from pathlib import Path

    from corral.farm.application.ports.records import Transactions
    from corral.farm.domain.library.rules import LibraryRules


class SetLibraryFolder:
    """Changes the import folder, and gives the rules as they are then."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def __call__(self, folder: Path, revision: int | None = None) -> LibraryRules:
        """Change it.

        Raises ``LibraryFolderInvalidError``, and ``LibraryRulesChangedError`` if ``revision`` is
        given and is not that of the rules any more.
        """
        with self._transactions.writing() as records:
            seen = records.library_rules.get()
            if revision not in {None, seen.revision}:
                raise LibraryRulesChangedError
            after = replace(seen, folder=folder)
            if after != seen:
                records.library_rules.change(seen, after)
            return records.library_rules.get()
