"""Which servers are relays, and of which release a server says it is."""

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"


def upgrade() -> None:
    """Add the columns; no server that there is by now is a relay."""
    op.add_column(
        "server",
        sa.Column(
            "relay",
            sa.Boolean(create_constraint=False),
            nullable=False,
            server_default=sa.false(),
        ),
    )
    op.add_column("server", sa.Column("reported_release", sa.Text))
    op.add_column("server", sa.Column("reported_refusal", sa.Text))
