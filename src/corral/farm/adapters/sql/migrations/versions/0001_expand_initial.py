"""The farm, its servers and stores, images, versions, replicas, devices and sessions."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


# In the same order from every database: by their characters, in no language.
NAME = sa.String(63).with_variant(sa.String(63, collation="C"), "postgresql")


def upgrade() -> None:
    """Make every table of the first release."""
    op.create_table(
        "farm",
        sa.Column("singleton", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("name", NAME, nullable=False),
        sa.Column("public_key", sa.LargeBinary(32), nullable=False),
        sa.Column("api_urls", sa.JSON, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("generation", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "server",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("name", NAME, nullable=False),
        sa.Column("listen", sa.JSON, nullable=False),
        sa.Column("advertised", sa.JSON, nullable=False),
        sa.Column("chunks_listen", sa.String(64), nullable=False),
        sa.Column("chunks_advertised", sa.String(64), nullable=False),
        sa.Column("token_digest", sa.LargeBinary(32), nullable=False),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("draining", sa.Boolean, nullable=False),
        sa.Column("reported_at", sa.DateTime(timezone=True)),
        sa.Column("reported_session_count", sa.Integer),
        sa.Column("reported_free_bytes", sa.BigInteger),
        sa.Column("reported_counters", sa.JSON),
        sa.UniqueConstraint("name", name="uq_server_name"),
        sa.UniqueConstraint("token_digest", name="uq_server_token_digest"),
    )
    op.create_table(
        "store",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("server_id", sa.Uuid, nullable=False),
        sa.Column("path", sa.Text, nullable=False),
        sa.ForeignKeyConstraint(["server_id"], ["server.id"], name="fk_store_server_id"),
        sa.UniqueConstraint("server_id", name="uq_store_server_id"),
        sa.UniqueConstraint("path", name="uq_store_path"),
    )
    op.create_table(
        "image",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("name", NAME, nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_number", sa.Integer, nullable=False),
        sa.UniqueConstraint("name", name="uq_image_name"),
    )
    op.create_table(
        "version",
        sa.Column("image_id", sa.Uuid, primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("root", sa.String(64), nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("signature", sa.LargeBinary(64), nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("access", sa.String(16), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["image_id"], ["image.id"], name="fk_version_image_id"),
    )
    op.create_index("ix_version_root", "version", ["root"])
    op.create_table(
        "replica",
        sa.Column("server_id", sa.Uuid, primary_key=True),
        sa.Column("root", sa.String(64), primary_key=True),
        sa.Column("wanted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("done_bytes", sa.BigInteger, nullable=False),
        sa.Column("total_bytes", sa.BigInteger, nullable=False),
        sa.Column("fetched_bytes", sa.BigInteger, nullable=False),
        sa.Column("problem", sa.Text, nullable=False),
        sa.Column("reported_at", sa.DateTime(timezone=True)),
        sa.Column("completed_at", sa.DateTime(timezone=True)),
        sa.ForeignKeyConstraint(["server_id"], ["server.id"], name="fk_replica_server_id"),
    )
    op.create_index("ix_replica_root", "replica", ["root"])
    op.create_table(
        "device",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("name", NAME, nullable=False),
        sa.Column("mac", sa.String(17), nullable=False),
        sa.Column("key_digest", sa.LargeBinary(32), nullable=False),
        sa.Column("registered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("write_cache", sa.String(16), nullable=False),
        sa.Column("image_id", sa.Uuid),
        sa.Column("assigned_at", sa.DateTime(timezone=True)),
        sa.Column("login_server_id", sa.Uuid),
        sa.Column("login_at", sa.DateTime(timezone=True)),
        sa.ForeignKeyConstraint(["image_id"], ["image.id"], name="fk_device_image_id"),
        sa.ForeignKeyConstraint(
            ["login_server_id"], ["server.id"], name="fk_device_login_server_id"
        ),
        sa.UniqueConstraint("name", name="uq_device_name"),
        sa.UniqueConstraint("mac", name="uq_device_mac"),
    )
    op.create_index("ix_device_image_id", "device", ["image_id"])
    op.create_index("ix_device_login", "device", ["login_server_id", "login_at"])
    op.create_table(
        "session",
        sa.Column("server_id", sa.Uuid, primary_key=True),
        sa.Column("place", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("device_id", sa.Uuid),
        sa.Column("export", sa.Text, nullable=False),
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("connected_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent_bytes", sa.BigInteger, nullable=False),
        sa.ForeignKeyConstraint(["server_id"], ["server.id"], name="fk_session_server_id"),
    )
