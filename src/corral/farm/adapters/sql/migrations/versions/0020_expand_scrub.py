"""How often and how fast the servers of a store scrub it, and what they said of it last."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    """Add them. Every store is scrubbed from now on, modestly: that is what a store is for."""
    op.add_column(
        "named_store",
        sa.Column("scrub_rate", sa.BigInteger, nullable=False, server_default=sa.text("8388608")),
    )
    op.add_column(
        "named_store",
        sa.Column(
            "scrub_every_seconds", sa.Integer, nullable=False, server_default=sa.text("1209600")
        ),
    )
    op.add_column("server", sa.Column("reported_scrub", sa.JSON(none_as_null=True)))
