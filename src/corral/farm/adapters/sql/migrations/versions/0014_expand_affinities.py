"""How much the devices of an image or a collection are bound to servers of their subnet."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Add the table; nobody is bound at first."""
    op.create_table(
        "affinity",
        sa.Column("thing_id", sa.Uuid, primary_key=True),
        sa.Column("value", sa.String(16), nullable=False),
    )
