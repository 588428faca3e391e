"""A restored farm observes until somebody accepts what differs; what servers hold by then."""

import sqlalchemy as sa
from alembic import op

from corral.farm.adapters.sql.tables import Instant

revision = "0036"
down_revision = "0035"


def upgrade() -> None:
    """Add table and columns. A farm that was restored before this goes on as it did."""
    op.add_column(
        "restoration",
        sa.Column("generation", sa.BigInteger, nullable=False, server_default=sa.text("0")),
    )
    op.add_column("restoration", sa.Column("accepted_at", Instant))
    op.add_column(
        "restoration", sa.Column("accepted_by", sa.Text, nullable=False, server_default="")
    )
    op.add_column("restoration", sa.Column("because", sa.Text, nullable=False, server_default=""))
    # No foreign key: a release that does not know the table removes servers.
    op.create_table(
        "observation",
        sa.Column("server_id", sa.Uuid, primary_key=True),
        sa.Column("heard_at", Instant, nullable=False),
        sa.Column("generation", sa.BigInteger, nullable=False),
        sa.Column("versions", sa.JSON, nullable=False),
        sa.Column("overlays", sa.JSON, nullable=False),
        sa.Column("settled_at", Instant),
    )
    op.execute("UPDATE restoration SET accepted_at = restored_at")
    op.execute(
        "INSERT INTO observation"
        " (server_id, heard_at, generation, versions, overlays, settled_at)"
        " SELECT server.id, restored_at, 0, '[]', '[]', restored_at FROM server, restoration"
    )
