"""How many copies a store wants of each version, and what copies may take of a site's lines."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Add them. A farm that is there already goes on deciding by hand: one copy is always there."""
    op.add_column("site", sa.Column("bandwidth", sa.JSON(none_as_null=True)))
    op.add_column("named_store", sa.Column("copies", sa.Integer))
    op.execute("UPDATE named_store SET copies = 1 WHERE EXISTS (SELECT 1 FROM farm)")
