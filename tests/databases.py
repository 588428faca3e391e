"""Databases of a farm that have their tables from the start.

To make the tables by all migrations takes longer than most tests, so that they are made once a run
and copied; `tests/unit/farm/adapters/sql/test_schema.py` is where migrations are tried.
"""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from corral.farm.adapters.sql.transactions import SqlTransactions


def sqlite_with_tables(path: Path) -> str:
    """Make a database in a new file; give its URL."""
    path.write_bytes(_tables())
    return f"sqlite:///{path}"


@cache
def _tables() -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder, "farm.db")
        transactions = SqlTransactions(f"sqlite:///{path}")
        transactions.set_up()
        transactions.close()
        assert [file.name for file in path.parent.iterdir()] == [path.name]  # all is in the file
        return path.read_bytes()
