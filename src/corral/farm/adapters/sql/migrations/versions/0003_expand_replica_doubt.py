"""A replica remembers in which generation a verification found it damaged."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the column; what is damaged now is doubted since the farm's present generation."""
    op.add_column(
        "replica", sa.Column("doubt", sa.BigInteger, nullable=False, server_default=sa.text("0"))
    )
    op.execute("UPDATE replica SET doubt = (SELECT generation FROM farm) WHERE state = 'damaged'")
