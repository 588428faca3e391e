"""The JSON of the farm check. Fields are added, never renamed: programs read them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corral.farm.entrypoints.cli.documents import instant

if TYPE_CHECKING:
    from collections.abc import Iterable

    from corral.farm.application.check_farm import FarmCheck
    from corral.farm.domain.check.database import BlindCheck
    from corral.farm.domain.check.finding import Finding, NotApplicable
    from corral.farm.entrypoints.cli.output import Json


def farm_check(of: FarmCheck) -> dict[str, Json]:
    """Show what was found."""
    return {
        "farm": of.farm.name,
        "at": of.at.isoformat(),
        "passed": of.is_passed,
        "findings": _findings(of.findings),
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
        "login_addresses": list(of.login_addresses),
        "not_applicable": _not_looked_at(of.not_applicable),
    }


def blind_check(of: BlindCheck) -> dict[str, Json]:
    """Show what was found without a database: what is not known is null or empty."""
    logins = of.logins
    return {
        "farm": None,
        "at": of.at.isoformat(),
        "passed": False,
        "findings": _findings(of.findings),
        "versions": [],
        "login_addresses": [],
        "not_applicable": _not_looked_at(of.not_applicable),
        "database": {"url": of.database.url, "account": of.database.account},
        "logins": None
        if logins is None
        else {
            "taken_at": logins.taken_at.isoformat(),
            "known": logins.known,
            "startable": logins.startable,
            "first_end_at": instant(logins.first_end_at),
        },
    }


def _findings(findings: Iterable[Finding]) -> list[Json]:
    return [
        {
            "code": one.kind.code,
            "severity": one.kind.severity.value,
            "object": one.thing,
            "message": one.message,
            "way_out": one.kind.way_out,
            "devices": list(one.devices),
            "computers": list(one.computers),
        }
        for one in findings
    ]


def _not_looked_at(skipped: Iterable[NotApplicable]) -> list[Json]:
    return [{"check": one.check, "why": one.why} for one in skipped]
