"""Upgrades of the farm: their steps, the orders that servers have, risks that were accepted."""

import sqlalchemy as sa
from alembic import op

from corral.farm.adapters.sql.tables import Instant, Name

revision = "0033"
down_revision = "0032"

_RELEASE = sa.String(64)


def upgrade() -> None:
    """Add the tables."""
    op.create_table(
        "farm_upgrade",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("kit", Name, nullable=False),
        sa.Column("old", _RELEASE, nullable=False),
        sa.Column("new", _RELEASE, nullable=False),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("started_at", Instant, nullable=False),
        sa.Column("started_by", sa.String(255), nullable=False),
        sa.Column("changed_at", Instant, nullable=False),
        sa.Column("soak_seconds", sa.Integer, nullable=False),
        sa.Column("first", sa.JSON, nullable=False),
        sa.Column("why", sa.Text, nullable=False),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.Column("forgiven", sa.BigInteger, nullable=False),
        sa.Column("runs_since", Instant),
        sa.Column("schema_problem", sa.Text, nullable=False),
        sa.Column("schema_problem_of", sa.BigInteger, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.UniqueConstraint("number", name="uq_farm_upgrade_number"),
    )
    op.create_table(
        "blueprint",
        sa.Column("generation", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("upgrade", sa.Integer, sa.ForeignKey("farm_upgrade.number"), nullable=False),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.Column("parent", sa.BigInteger, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("server_id", sa.Uuid),
        sa.Column("release", _RELEASE),
        sa.Column("expects", _RELEASE),
        sa.Column("adopted_at", Instant, nullable=False),
        sa.Column("farm_generation", sa.BigInteger, nullable=False),
        sa.Column("by", sa.String(255), nullable=False),
        sa.Column("evidence", sa.Text, nullable=False),
    )
    op.create_index("ix_blueprint_upgrade", "blueprint", ["upgrade"])
    op.create_table(
        "release_order",
        _server(),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("kit", sa.Text),
        sa.Column("kit_release", _RELEASE),
        sa.Column("kit_root", sa.String(64)),
        sa.Column("kit_bytes", sa.BigInteger),
        sa.Column("run", _RELEASE),
        sa.Column("expects", _RELEASE),
        sa.Column("rest", sa.Boolean(create_constraint=False), nullable=False),
    )
    op.create_table(
        "canary",
        _server(),
        sa.Column("release", _RELEASE, nullable=False),
        sa.Column("blueprint", sa.BigInteger, nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.Column("problem", sa.Text, nullable=False),
    )
    op.create_table(
        "risk_acceptance",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("risk", sa.String(255), nullable=False),
        sa.Column("by", sa.String(255), nullable=False),
        sa.Column("until", Instant, nullable=False),
        sa.Column("because", sa.Text, nullable=False),
        sa.Column("accepted_at", Instant, nullable=False),
    )


def _server() -> sa.Column[object]:
    return sa.Column(
        "server_id", sa.Uuid, sa.ForeignKey("server.id", ondelete="CASCADE"), primary_key=True
    )
