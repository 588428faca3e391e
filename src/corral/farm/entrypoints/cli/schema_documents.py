"""What ``corral schema`` prints for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from corral.farm.application.change_schema import ChangedSchema
    from corral.farm.application.read_records import ReadFarm
    from corral.farm.application.show_schema import SchemaView
    from corral.farm.domain.upgrade.schema import SchemaStep, SeenSchema
    from corral.farm.entrypoints.cli.output import Json


def shown(of: SchemaView) -> dict[str, Json]:
    """Give all that is known."""
    return {
        "release": of.release,
        "standing": of.standing.value,
        "head": of.own.head,
        "needs": of.own.needs,
        "embedded": of.is_embedded,
        **_seen(of.seen),
        "damage": of.seen.damage,
        "pending": _steps(of.pending),
        "servers": [{"server": one.server, "release": one.release} for one in of.servers],
    }


def changed(of: ChangedSchema) -> dict[str, Json]:
    """Give what was done."""
    return {"taken": _steps(of.steps), **_seen(of.seen)}


def read(of: ReadFarm) -> dict[str, Json]:
    """Give what was read."""
    return {"step": of.schema, "rows": dict(of.rows), "things": of.things}


def _seen(of: SeenSchema) -> dict[str, Json]:
    return {
        "step": of.revision,
        "readable_from": of.readable_from,
        "oldest_console": of.oldest_console,
    }


def _steps(of: Iterable[SchemaStep]) -> list[Json]:
    return [{"step": one.revision, "half": one.half.value, "what": one.what} for one in of]
