"""Which release has read a backup, who works with which release, and what workers leave."""

import sqlalchemy as sa
from alembic import op

revision = "0037"
down_revision = "0036"


def upgrade() -> None:
    """Add columns, which an older release leaves as they are, and a table."""
    op.add_column("backup", sa.Column("read_by", sa.Text, nullable=False, server_default=""))
    op.add_column(
        "task_worker", sa.Column("left_step", sa.String(16), nullable=False, server_default="")
    )
    op.create_table(
        "console",
        sa.Column("who", sa.String(511), primary_key=True),
        sa.Column("release", sa.String(64), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
    )
