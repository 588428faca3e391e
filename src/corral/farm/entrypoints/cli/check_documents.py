"""The JSON of the farm check. Fields are added, never renamed: programs read them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from corral.farm.application.check_farm import FarmCheck
    from corral.farm.entrypoints.cli.output import Json


def farm_check(of: FarmCheck) -> dict[str, Json]:
    """Show what was found."""
    return {
        "farm": of.farm.name,
        "at": of.at.isoformat(),
        "passed": of.is_passed,
        "findings": [
            {
                "code": one.kind.code,
                "severity": one.kind.severity.value,
                "object": one.thing,
                "message": one.message,
                "way_out": one.kind.way_out,
            }
            for one in of.findings
        ],
        "versions": [
            {
                "version": str(one.name),
                "root": one.root.hex,
                "servers": list(one.servers),
                "running": one.running,
                "starting": one.starting,
            }
            for one in of.versions
        ],
        "not_applicable": [{"check": one.check, "why": one.why} for one in of.not_applicable],
    }
