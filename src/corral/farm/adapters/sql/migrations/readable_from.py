"""What every contract step says: who still works on what it leaves."""

import sqlalchemy as sa
from alembic import op


def raise_readable_from(revision: str) -> None:
    """Close the database to code whose own last revision is older than this one."""
    gate = sa.table("schema_gate", sa.column("singleton"), sa.column("readable_from", sa.String))
    op.execute(
        sa.update(gate)
        .where(gate.c.singleton == sa.literal(1), gate.c.readable_from < revision)
        .values(readable_from=revision)
    )
