"""Which state of the rules of balance somebody has seen who changes them."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """Add the column; rules that were set are at their first revision."""
    op.add_column(
        "balance", sa.Column("revision", sa.Integer, nullable=False, server_default=sa.text("1"))
    )
