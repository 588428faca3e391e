"""When a server's certificate ends, and whether it speaks TLS only, as it last reported."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    """Add the columns; servers of this release fill them with their next report."""
    op.add_column("server", sa.Column("reported_certificate_ends_at", sa.DateTime(timezone=True)))
    op.add_column("server", sa.Column("reported_requires_tls", sa.Boolean(create_constraint=False)))
