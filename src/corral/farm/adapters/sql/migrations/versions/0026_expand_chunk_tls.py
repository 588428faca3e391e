"""Whether a server gives chunks under TLS only, as it last reported."""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"


def upgrade() -> None:
    """Add the column; servers of this release fill it with their next report."""
    op.add_column(
        "server", sa.Column("reported_chunks_require_tls", sa.Boolean(create_constraint=False))
    )
