"""The library: what is in it, whose kits are believed, and what an image's versions are."""

import sqlalchemy as sa
from alembic import op

from corral.farm.adapters.sql.tables import Instant, Name

revision = "0028"
down_revision = "0027"


def upgrade() -> None:
    """Add the tables; every image that there is holds disks."""
    op.add_column(
        "image", sa.Column("content", sa.String(16), nullable=False, server_default="disk")
    )
    op.create_table(
        "library_item",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("name", Name, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("begun_at", Instant, nullable=False),
        sa.Column("by", sa.String(255), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("kit", sa.Text),
        sa.Column("publisher", sa.String(64)),
        sa.Column("version", sa.Text),
        sa.Column("root", sa.String(64)),
        sa.Column("available_at", Instant),
        sa.Column("problem", sa.Text, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.UniqueConstraint("name", name="uq_library_item_name"),
    )
    op.create_table(
        "publisher",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("name", Name, nullable=False),
        sa.Column("public_key", sa.LargeBinary(32), nullable=False),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("added_at", Instant, nullable=False),
        sa.UniqueConstraint("name", name="uq_publisher_name"),
        sa.UniqueConstraint("fingerprint", name="uq_publisher_fingerprint"),
    )
    op.create_table(
        "library_rules",
        sa.Column("singleton", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("folder", sa.Text),
        sa.Column("revision", sa.Integer, nullable=False),
    )
