"""What a server last said that it cannot offer, and by which request a task was asked for."""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"


def upgrade() -> None:
    """Add the columns; servers fill the one with their next report, new tasks the other."""
    op.add_column("server", sa.Column("reported_refused", sa.JSON(none_as_null=True)))
    op.add_column("task", sa.Column("owner_request", sa.String(64)))
