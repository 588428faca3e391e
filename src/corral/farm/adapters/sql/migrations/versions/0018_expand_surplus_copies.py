"""When a store's policy was set, and which copies somebody asked for by hand."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    """Add them. What is there stays until somebody sets a policy again."""
    op.add_column("named_store", sa.Column("copies_set_at", sa.DateTime(timezone=True)))
    op.add_column(
        "replica",
        sa.Column(
            "by_hand",
            sa.Boolean(create_constraint=False),
            nullable=False,
            server_default=sa.false(),
        ),
    )
