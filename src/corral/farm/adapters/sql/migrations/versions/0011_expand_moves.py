"""Moves of devices between servers, and the rules by which the farm makes them by itself."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Add them; without a row the usual rules hold."""
    op.create_table(
        "move",
        sa.Column("device_id", sa.Uuid, primary_key=True),
        sa.Column("origin_id", sa.Uuid, nullable=False),
        sa.Column("target_id", sa.Uuid, nullable=False),
        sa.Column("why", sa.Text, nullable=False),
        sa.Column("ordered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True)),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
        sa.Column("outcome", sa.String(16)),
    )
    op.create_table(
        "balance",
        sa.Column("singleton", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("is_automatic", sa.Boolean, nullable=False),
        sa.Column("every_seconds", sa.Integer, nullable=False),
        sa.Column("over_percent", sa.Integer, nullable=False),
        sa.Column("least_devices", sa.Integer, nullable=False),
        sa.Column("booting_percent", sa.Integer, nullable=False),
        sa.Column("last_round_at", sa.DateTime(timezone=True)),
    )
