"""Backups: where they go, those that were made, and what a farm was restored from."""

import sqlalchemy as sa
from alembic import op

from corral.farm.adapters.sql.tables import Instant

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    """Add the tables; backups go nowhere at first."""
    op.create_table(
        "backup",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("taken_at", Instant, nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("release", sa.String(63), nullable=False),
        sa.Column("schema", sa.String(32), nullable=False),
        sa.Column("by", sa.String(255), nullable=False),
        sa.Column("has_chunks", sa.Boolean(create_constraint=False), nullable=False),
        sa.Column("verified_at", Instant),
    )
    op.create_table(
        "backup_rules",
        sa.Column("singleton", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("folder", sa.Text),
        sa.Column("recipients", sa.JSON, nullable=False),
        sa.Column("with_chunks", sa.Boolean(create_constraint=False), nullable=False),
        sa.Column("daily", sa.Integer, nullable=False),
        sa.Column("weekly", sa.Integer, nullable=False),
        sa.Column("monthly", sa.Integer, nullable=False),
        sa.Column("too_old_days", sa.Integer, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
    )
    op.create_table(
        "restoration",
        sa.Column("singleton", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("backup_id", sa.Uuid, nullable=False),
        sa.Column("taken_at", Instant, nullable=False),
        sa.Column("restored_at", Instant, nullable=False),
    )
