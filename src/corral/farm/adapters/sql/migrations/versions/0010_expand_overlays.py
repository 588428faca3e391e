"""What devices write over versions."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Add the table."""
    instant = sa.DateTime(timezone=True)
    op.create_table(
        "overlay",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("image_id", sa.Uuid, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("device_id", sa.Uuid, nullable=False),
        sa.Column("server_id", sa.Uuid, nullable=False),
        sa.Column("base", sa.String(64), nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("limit_bytes", sa.BigInteger, nullable=False),
        sa.Column("created_at", instant, nullable=False),
        sa.Column("created_by", sa.String(255), nullable=False),
        sa.Column("phase", sa.String(16), nullable=False),
        sa.Column("opened_at", instant),
        sa.Column("promoted_by", sa.String(255)),
        sa.Column("promoted_to", sa.String(16)),
        sa.Column("release_at", instant),
        sa.Column("description", sa.Text),
        sa.Column("seen_at", instant),
        sa.Column("seen_condition", sa.String(16)),
        sa.Column("seen_written_bytes", sa.BigInteger),
        sa.Column("seen_allocated_bytes", sa.BigInteger),
        sa.Column("seen_clients", sa.Integer),
        sa.Column("seen_problem", sa.Text),
        sa.Column("sealed_root", sa.String(64)),
        sa.Column("sealed_bytes", sa.BigInteger),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.ForeignKeyConstraint(["image_id"], ["image.id"], name="fk_overlay_image_id"),
        sa.ForeignKeyConstraint(["device_id"], ["device.id"], name="fk_overlay_device_id"),
        sa.ForeignKeyConstraint(["server_id"], ["server.id"], name="fk_overlay_server_id"),
    )
    for column in ("image_id", "device_id", "server_id", "base"):
        op.create_index(f"ix_overlay_{column}", "overlay", [column])
