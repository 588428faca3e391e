"""Who may start a version and from when, write caches, and what was done to versions."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add columns and tables; every version that there is was released when it was published."""
    instant = sa.DateTime(timezone=True)
    one = sa.text("1")
    for column in (
        sa.Column("release_at", instant),
        sa.Column("released_at", instant),
        sa.Column("changed_at", instant),
        sa.Column("changed_by", sa.String(255), nullable=False, server_default=""),
        sa.Column("revision", sa.Integer, nullable=False, server_default=one),
    ):
        op.add_column("version", column)
    op.execute("UPDATE version SET released_at = published_at")
    for column in (
        sa.Column("mode", sa.String(16), nullable=False, server_default="shared"),
        sa.Column("write_cache", sa.String(32), nullable=False, server_default="device-ram"),
        sa.Column("write_cache_limit_bytes", sa.BigInteger),
        sa.Column(
            "write_cache_fallback", sa.String(16), nullable=False, server_default="device-ram"
        ),
        sa.Column("pinned_number", sa.Integer),
        sa.Column("revision", sa.Integer, nullable=False, server_default=one),
    ):
        op.add_column("image", column)
    op.create_table(
        "version_change",
        sa.Column("image_id", sa.Uuid, primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("place", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("at", instant, nullable=False),
        sa.Column("by", sa.String(255), nullable=False),
        sa.Column("what", sa.String(32), nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.ForeignKeyConstraint(["image_id"], ["image.id"], name="fk_version_change_image_id"),
    )
    op.create_table(
        "device_cache",
        sa.Column("device_id", sa.Uuid, primary_key=True),
        sa.Column("kind", sa.String(32)),
        sa.Column("limit_bytes", sa.BigInteger),
        sa.Column("fallback", sa.String(16)),
        sa.Column("used_kind", sa.String(32)),
        sa.Column("used_at", instant),
        sa.Column("used_limit_bytes", sa.BigInteger),
        sa.Column("used_bytes", sa.BigInteger),
        sa.Column("used_problem", sa.Text),
        sa.ForeignKeyConstraint(["device_id"], ["device.id"], name="fk_device_cache_device_id"),
    )
