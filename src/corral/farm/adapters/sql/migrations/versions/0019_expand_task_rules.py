"""How many tasks run at once, and how long ended ones are kept."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    """Add the table; the usual rules hold, and ended tasks have an index to be found by."""
    op.create_table(
        "task_rules",
        sa.Column("singleton", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("of_kind", sa.JSON, nullable=False),
        sa.Column("of_server", sa.Integer),
        sa.Column("of_kind_on_server", sa.Integer),
        sa.Column("of_farm", sa.Integer),
        sa.Column("kept_days", sa.Integer),
        sa.Column("revision", sa.Integer, nullable=False),
    )
    op.create_index("ix_task_ended_at", "task", ["ended_at"])
