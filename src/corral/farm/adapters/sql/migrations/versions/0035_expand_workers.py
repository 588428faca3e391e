"""Workers say whether the database would let them in anew."""

import sqlalchemy as sa
from alembic import op

revision = "0035"
down_revision = "0034"


def upgrade() -> None:
    """Add the column; a worker of an older release says nothing."""
    op.add_column(
        "task_worker", sa.Column("account_problem", sa.Text, nullable=False, server_default="")
    )
