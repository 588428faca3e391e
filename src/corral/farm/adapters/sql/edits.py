"""How things that people edit are written: under a name that is theirs alone, and as last seen."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy import update
from sqlalchemy.exc import IntegrityError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from sqlalchemy import Connection, Table

    from corral.farm.adapters.sql.rows import Values
    from corral.farm.domain.errors import DomainError


@contextmanager
def named_once(connection: Connection, taken: DomainError) -> Iterator[None]:
    """Raise ``taken`` if the block's statement breaks a rule of the table, which is then undone.

    For tables whose one rule is that names are unique.
    """
    try:
        with connection.begin_nested():
            yield
    except IntegrityError:
        raise taken from None


def replaced(
    connection: Connection, table: Table, thing: UUID, revision: int, values: Values
) -> bool:
    """Change the row of that id if it still has that revision; say whether it had."""
    result = connection.execute(
        update(table).where(table.c.id == thing, table.c.revision == revision).values(values)
    )
    return result.rowcount == 1
