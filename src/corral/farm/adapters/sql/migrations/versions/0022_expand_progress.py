"""How far a server is with sealing what a device wrote, and how fast copies flow."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"

_NONE = sa.text("0")


def upgrade() -> None:
    """Add them; nothing is known until servers report again."""
    for name in ("sealing_done_bytes", "sealing_total_bytes"):
        column = sa.Column(name, sa.BigInteger, nullable=False, server_default=_NONE)
        op.add_column("overlay", column)
    column = sa.Column("bytes_per_second", sa.BigInteger, nullable=False, server_default=_NONE)
    op.add_column("replica", column)
