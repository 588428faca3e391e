"""The one server that an image may be had from."""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    """Add the column; every image may be had from all servers that hold it."""
    op.add_column("image", sa.Column("only_server_id", sa.Uuid))
