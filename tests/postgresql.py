"""A PostgreSQL server of the tests' own, with a farm's tables on demand."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from demo import postgresql
from demo.postgresql import PASSWORD, USER, programs

from corral.farm.adapters.sql.transactions import SqlTransactions

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["PASSWORD", "USER", "PostgreSQL", "programs_or_skip"]


def programs_or_skip() -> Path:
    """Skip with the reason where it is missing; in CI, where it must not be, fail."""
    found = programs()
    if found is not None:
        return found
    reason = "PostgreSQL is missing: install the package postgresql"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@dataclass
class PostgreSQL(postgresql.PostgreSQL):
    """One server, with databases made on demand."""

    _with_tables: str | None = None

    def new_database_with_tables(self) -> str:
        """Make a database that has a farm's tables; give its URL."""
        if self._with_tables is None:
            url = self.new_database()
            transactions = SqlTransactions(url)
            transactions.set_up()
            transactions.close()
            self._with_tables = f"farm{self._databases}"
        return self.new_database(copy_of=self._with_tables)
