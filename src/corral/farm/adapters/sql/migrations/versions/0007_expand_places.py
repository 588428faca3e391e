"""Places: which server each device reads from; and when a session was last seen to read."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add them; the next reports of the servers say where the devices are."""
    op.add_column("session", sa.Column("read_at", sa.DateTime(timezone=True)))
    op.create_table(
        "place",
        sa.Column("device_id", sa.Uuid, primary_key=True),
        sa.Column("server_id", sa.Uuid, nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("root", sa.String(64), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True)),
        sa.Column("read_bytes", sa.BigInteger, nullable=False),
        sa.Column("address", sa.String(64)),
    )
    op.create_index("ix_place_server_id", "place", ["server_id"])
