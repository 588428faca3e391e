"""Rollouts with their machines, kits that computers are given, and what versions were made with."""

import sqlalchemy as sa
from alembic import op

from corral.farm.adapters.sql.tables import Instant, Name

revision = "0029"
down_revision = "0028"


def upgrade() -> None:
    """Add the tables; every version that there is has the first format."""
    op.add_column(
        "version",
        sa.Column("image_format", sa.Integer, nullable=False, server_default=sa.text("1")),
    )
    op.add_column(
        "version", sa.Column("published_with", sa.String(64), nullable=False, server_default="")
    )
    op.add_column("version", sa.Column("guest_tools", sa.String(64)))
    op.create_table(
        "rollout",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("name", Name, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("offering", sa.Text, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("terms", sa.Text, nullable=False),
        sa.Column("started_at", Instant, nullable=False),
        sa.Column("started_by", sa.String(255), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("why", sa.Text, nullable=False),
        sa.Column("changed_at", Instant),
        sa.Column("looked_at", Instant),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.UniqueConstraint("name", name="uq_rollout_name"),
    )
    op.create_table(
        "rollout_member",
        sa.Column("rollout_id", sa.Uuid, sa.ForeignKey("rollout.id"), primary_key=True),
        sa.Column("member", sa.String(80), primary_key=True),
        sa.Column("computer_id", sa.Uuid, nullable=False, index=True),
        sa.Column("wave", sa.Integer, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("offered_at", Instant),
        sa.Column("seen_at", Instant),
        sa.Column("attested_at", Instant),
        sa.Column("attested_starts", sa.BigInteger, nullable=False),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("accepted", sa.Integer, nullable=False),
        sa.Column("past_boot_ms", sa.BigInteger),
        sa.Column("past_restarts_a_day", sa.Float),
        sa.Column("past_healthy", sa.Boolean(create_constraint=False)),
        sa.Column("watched_since", Instant),
        sa.Column("watched_starts", sa.BigInteger, nullable=False),
        sa.Column("code", sa.String(64), nullable=False),
        sa.Column("problem", sa.Text, nullable=False),
    )
    op.create_table(
        "kit_assignment",
        sa.Column("computer_id", sa.Uuid, primary_key=True),
        sa.Column("item_id", sa.Uuid, nullable=False, index=True),
        sa.Column("assigned_at", Instant, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
    )
