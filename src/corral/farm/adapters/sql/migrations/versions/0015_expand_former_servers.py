"""Tokens of servers that were removed, so that they can be told."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"

NAME = sa.String(63).with_variant(sa.String(63, collation="C"), "postgresql")


def upgrade() -> None:
    """Add the table; nobody was removed before."""
    op.create_table(
        "former_server",
        sa.Column("token_digest", sa.LargeBinary(32), primary_key=True),
        sa.Column("name", NAME, nullable=False),
        sa.Column("removed_at", sa.DateTime(timezone=True), nullable=False),
    )
