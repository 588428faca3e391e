"""What servers last said of their releases, and which of the farm's wishes they knew then."""

import sqlalchemy as sa
from alembic import op

revision = "0034"
down_revision = "0033"


def upgrade() -> None:
    """Add the columns; servers fill them with their next reports."""
    op.add_column("server", sa.Column("reported_releases", sa.JSON(none_as_null=True)))
    op.add_column("server", sa.Column("reported_generation", sa.BigInteger))
