"""A server's clock, compared with the farm's when it last reported."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Add the column; servers of this release fill it with their next report."""
    op.add_column("server", sa.Column("reported_clock_offset_ms", sa.BigInteger))
