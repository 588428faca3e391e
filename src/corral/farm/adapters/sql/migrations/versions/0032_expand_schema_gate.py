"""The database says which releases still work on it, and which command lines."""

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0031"


def upgrade() -> None:
    """Make the table; releases from before it open no schema that is newer than theirs."""
    gate = op.create_table(
        "schema_gate",
        sa.Column("singleton", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("readable_from", sa.String(4), nullable=False),
        sa.Column("oldest_console", sa.Text),
    )
    op.bulk_insert(gate, [{"singleton": 1, "readable_from": revision, "oldest_console": None}])
