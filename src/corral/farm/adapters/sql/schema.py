"""Which schema a database has, and how it gets to another.

Alembic is loaded only where there is something to do: most commands find the schema as it
should be.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy import inspect, text

from corral.farm.adapters.sql.engine import lift_limits
from corral.farm.domain.estate.errors import FarmNewerError
from corral.farm.domain.upgrade.errors import SchemaBehindError, SchemaDamagedError
from corral.farm.domain.upgrade.schema import (
    Half,
    Opening,
    ReleaseSchema,
    SchemaStep,
    SeenSchema,
    Standing,
    opening,
    standing,
)

if TYPE_CHECKING:
    from alembic.config import Config
    from sqlalchemy import Connection

_SCRIPT: Final = re.compile(r"(\d{4})_(expand|contract)_(\w+)\.py")


def steps_in(folder: Path) -> ReleaseSchema:
    """Read the steps from the names of a folder of migrations."""
    found = filter(None, (_SCRIPT.fullmatch(one.name) for one in sorted(folder.iterdir())))
    return ReleaseSchema(tuple(SchemaStep(one[1], Half(one[2]), one[3]) for one in found))


OWN: Final = steps_in(Path(__file__).parent / "migrations" / "versions")
"""Every step that this release knows; a test compares it with what is in the scripts."""
REVISIONS: Final = OWN.revisions


def look(connection: Connection) -> SeenSchema:
    """Give what a database says of its schema."""
    known = inspect(connection)
    if not known.has_table("alembic_version"):
        foreign = "it has tables of a farm, but says no revision"
        return SeenSchema(damage=foreign if known.has_table("farm") else None)
    found = connection.execute(text("SELECT version_num FROM alembic_version")).scalars().all()
    if len(found) != 1:
        return SeenSchema(damage=f"it says {len(found)} revisions where one should be")
    if not known.has_table("schema_gate"):
        return SeenSchema(found[0])
    gate = _gate(connection)
    if gate is None:
        return SeenSchema(found[0], damage="it does not say which releases work on it")
    return SeenSchema(found[0], *gate)


def _gate(connection: Connection) -> tuple[str, str | None] | None:
    said = connection.execute(
        text("SELECT readable_from, oldest_console FROM schema_gate WHERE singleton = 1")
    ).one_or_none()
    return None if said is None else (said[0], said[1])


def is_embedded(connection: Connection) -> bool:
    """Whether only this machine's processes can have the database open."""
    return connection.dialect.name == "sqlite"


def demand_open(connection: Connection) -> Opening:
    """Say what is to be done before the database can be used.

    Raises ``FarmNewerError``, ``SchemaBehindError``, ``SchemaDamagedError``.
    """
    seen = look(connection)
    decided = opening(seen, OWN, is_embedded=is_embedded(connection))
    refuse(decided, seen)
    return decided


def refuse(decided: Opening, seen: SeenSchema) -> None:
    """Raise what stands for a refusal."""
    revision = seen.revision or "none"
    match decided:
        case Opening.REFUSE_NEWER:
            raise FarmNewerError(revision)
        case Opening.REFUSE_BEHIND:
            raise SchemaBehindError.at(revision, OWN.needs)
        case Opening.REFUSE_UNFINISHED:
            contract = OWN.to_contract(revision)[-1].revision
            raise SchemaBehindError.by_contract(revision, OWN.needs, contract)
        case Opening.REFUSE_DAMAGED:
            raise SchemaDamagedError(seen.damage or f"it says revision {revision!r}")
        case Opening.READY | Opening.CREATE | Opening.EXPAND:
            return


def demand_readable(connection: Connection) -> None:
    """Raise ``FarmNewerError`` if the database was closed to this release since it was opened."""
    gate = _gate(connection)
    if gate is not None and OWN.head < gate[0]:
        raise FarmNewerError(look(connection).revision or "none")


def is_ready(connection: Connection) -> bool:
    """Whether this release can work on the database as it is; raises nothing of the gate's."""
    return standing(look(connection), OWN) in {Standing.SERVES, Standing.NEWER}


def set_up(connection: Connection) -> None:
    """Make the schema, or expand it if the database is embedded, in the connection's transaction.

    Raises what ``demand_open`` raises.
    """
    match demand_open(connection):
        case Opening.CREATE:
            upgrade(connection, OWN.head, may_contract=True)
        case Opening.EXPAND:
            upgrade(connection, OWN.needs)
        case _:
            return  # somebody else was first


def upgrade(connection: Connection, revision: str, *, may_contract: bool = False) -> None:
    """Take every step up to a revision, in the connection's transaction.

    Raises ``SchemaBehindError`` where the way leads over a contract step and it may not.
    """
    from alembic import command  # noqa: PLC0415 - see the module's docstring

    there = look(connection).revision
    way = [one for one in OWN.pending(there) if one.revision <= revision]
    if not way:
        return
    contract = next((one for one in way if one.half is Half.CONTRACT), None)
    if contract is not None and not may_contract:
        raise SchemaBehindError.by_contract(there or "none", revision, contract.revision)
    lift_limits(connection)
    configuration = alembic_configuration()
    configuration.attributes["connection"] = connection
    command.upgrade(configuration, revision)


def alembic_configuration() -> Config:
    """Say where the scripts are."""
    from alembic.config import Config  # noqa: PLC0415 - see the module's docstring

    configuration = Config()
    configuration.set_main_option("script_location", "corral.farm.adapters.sql:migrations")
    return configuration
