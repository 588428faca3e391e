"""Which schema a database has, and how it gets to the newest.

Alembic is loaded only where there is something to do: most commands find the schema as it
should be.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import inspect, text

from corral.farm.adapters.sql.engine import lift_limits
from corral.farm.domain.estate.errors import FarmNewerError

if TYPE_CHECKING:
    from sqlalchemy import Connection

REVISIONS: Final = (
    "0001",
    "0002",
    "0003",
    "0004",
    "0005",
    "0006",
    "0007",
    "0008",
    "0009",
    "0010",
    "0011",
    "0012",
    "0013",
    "0014",
)
"""Every revision that this release knows, oldest first; a test compares it with the scripts."""


def current_revision(connection: Connection) -> str | None:
    """Give the revision of a database; none if it is empty."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.execute(
        text("SELECT version_num FROM alembic_version")
    ).scalar_one_or_none()
    return found


def is_current(connection: Connection) -> bool:
    """Whether the schema is the newest one; one that is newer still is refused."""
    revision = current_revision(connection)
    if revision is not None and revision not in REVISIONS:
        raise FarmNewerError(revision)
    return revision == REVISIONS[-1]


def upgrade(connection: Connection) -> None:
    """Bring the schema to the newest revision, inside the connection's transaction."""
    from alembic import command  # noqa: PLC0415 - see the module's docstring
    from alembic.config import Config  # noqa: PLC0415

    lift_limits(connection)
    configuration = Config()
    configuration.set_main_option("script_location", "corral.farm.adapters.sql:migrations")
    configuration.attributes["connection"] = connection
    command.upgrade(configuration, "head")
