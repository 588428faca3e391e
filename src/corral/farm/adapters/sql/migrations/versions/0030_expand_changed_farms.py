"""Where the API was before, which state of the farm somebody has seen, names of former images."""

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"


def upgrade() -> None:
    """Add columns and table; a farm that nobody could change is at its first revision."""
    op.create_table(
        "former_image",
        sa.Column(
            "name",
            sa.String(63).with_variant(sa.String(63, collation="C"), "postgresql"),
            primary_key=True,
        ),
        sa.Column("last_number", sa.Integer, nullable=False),
    )
    op.add_column(
        "farm",
        sa.Column("former_api_urls", sa.JSON, nullable=False, server_default=sa.text("'[]'")),
    )
    op.add_column(
        "farm", sa.Column("revision", sa.Integer, nullable=False, server_default=sa.text("1"))
    )
