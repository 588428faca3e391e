"""What a release says of its schema in its manifest, read from its migrations."""

from __future__ import annotations

from sqlalchemy import create_engine
from sqlalchemy.pool import StaticPool

from corral.farm.adapters.sql import schema


def schema_facts() -> dict[str, str]:
    """Take the steps in memory, and look who is left; there is nobody to be asked."""
    engine = create_engine("sqlite://", poolclass=StaticPool)
    with engine.begin() as connection:
        schema.upgrade(connection, schema.OWN.needs, may_contract=True)
        seen = schema.look(connection)
    engine.dispose()
    facts = {
        "expands_to": schema.OWN.needs,
        "readable_from": seen.readable_from or schema.OWN.needs,
    }
    if schema.OWN.head != schema.OWN.needs:
        facts["contracts_to"] = schema.OWN.head
    return facts
