"""The JSON about rebalances. Fields are added, never renamed: programs read them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from corral.farm.application.rebalance_servers import Rebalance
    from corral.farm.domain.delivery.rebalance import BalanceRules
    from corral.farm.entrypoints.cli.output import Json


def rebalance(of: Rebalance) -> dict[str, Json]:
    """Show a plan, and whether it is carried out."""
    return {
        "ordered": of.is_ordered,
        "moves": [
            {"device": move.device, "from": move.origin, "to": move.target, "why": move.why}
            for move in of.moves
        ],
        "left_alone": [
            {"server": reason.server, "code": reason.quiet.name.lower().replace("_", "-")}
            for reason in of.quiet
        ],
    }


def rules(of: BalanceRules) -> dict[str, Json]:
    """Show the rules of balance."""
    return {
        "automatic": of.is_automatic,
        "every_seconds": int(of.every.total_seconds()),
        "over_percent": of.over_percent,
        "least_devices": of.least_devices,
        "booting_percent": of.booting_percent,
        "revision": of.revision,
    }
