"""Where devices logged in from last, which says what servers they could use when they start."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    """Add the column; each device fills it with its next login."""
    op.add_column("device", sa.Column("login_address", sa.Text))
