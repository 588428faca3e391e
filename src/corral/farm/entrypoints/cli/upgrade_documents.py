"""Upgrades of the farm, as ``--json`` tells them: as the API does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corral.farm.entrypoints.cli.documents import instant

if TYPE_CHECKING:
    from datetime import datetime

    from corral.farm.application.check_upgrade import UpgradeCheck
    from corral.farm.application.show_upgrade import UpgradeStatus
    from corral.farm.domain.upgrade.acceptance import Acceptance
    from corral.farm.domain.upgrade.blueprint import Step
    from corral.farm.domain.upgrade.inventory import SeenServer
    from corral.farm.domain.upgrade.plan import Blocked
    from corral.farm.domain.upgrade.upgrade import Upgrade
    from corral.farm.entrypoints.cli.output import Json


def check(kit: str, found: UpgradeCheck) -> dict[str, Json]:
    """Give what is in the way."""
    return {
        "kit": kit,
        "now": str(found.now),
        "to": str(found.to.release),
        "at": found.at.isoformat(),
        "clear": found.is_clear,
        "hindrances": [
            {
                "code": one.obstacle.code,
                "object": one.thing,
                "message": one.message,
                "way_out": one.obstacle.way_out,
                "can_be_accepted": one.obstacle.can_be_accepted,
            }
            for one in found.hindrances
        ],
        "accepted": [risk(said, found.at) for _, said in found.accepted],
        "to_republish": list(found.to_republish),
        "consoles": [
            {
                "who": one.who,
                "release": None if one.release is None else str(one.release),
                "seen_at": instant(one.seen_at),
            }
            for one in found.consoles
        ],
    }


def upgrade(of: Upgrade) -> dict[str, Json]:
    """Give one."""
    return {
        "number": of.number,
        "kit": of.kit,
        "old": str(of.old),
        "new": str(of.new),
        "state": of.state.value,
        "why": of.why,
        "started_at": instant(of.started_at),
        "started_by": of.started_by,
        "changed_at": instant(of.changed_at),
        "soak_seconds": int(of.soak.total_seconds()),
        "first": list(of.first),
        "revision": of.revision,
    }


def status(of: UpgradeStatus) -> dict[str, Json]:
    """Give how far it is."""
    look, plan = of.look, of.plan
    return {
        "upgrade": upgrade(look.upgrade),
        "next": None if plan.step is None else _step(of, plan.step),
        "evidence": plan.evidence,
        "untaken": of.untaken,
        "waits_for": [_blocked(of, one) for one in plan.waits_for],
        "blocked": [_blocked(of, one) for one in plan.blocked],
        "servers": [_server(one) for one in look.inventory.servers],
        "steps": [
            {
                **_step(of, one.step),
                "generation": one.generation,
                "adopted_at": instant(one.adopted_at),
                "by": one.by,
                "evidence": one.evidence,
            }
            for one in look.history
        ],
        "risks": [risk(one, look.at) for one in look.policy.acceptances],
    }


def risk(of: Acceptance, now: datetime) -> dict[str, Json]:
    """Give what was accepted."""
    return {
        "risk": of.risk,
        "by": of.by,
        "until": instant(of.until),
        "because": of.because,
        "accepted_at": instant(of.accepted_at),
        "in_force": of.covers(of.risk, now),
    }


def _blocked(of: UpgradeStatus, one: Blocked) -> dict[str, Json]:
    return {
        "step": None if one.step is None else _step(of, one.step),
        "risk": one.risk,
        "message": one.message,
        "way_out": one.way_out,
        "can_be_accepted": one.can_be_accepted,
    }


def _step(of: UpgradeStatus, step: Step) -> dict[str, Json]:
    return {
        "kind": step.kind.value,
        "server": None if step.server is None else of.look.name_of(step.server),
        "release": None if step.release is None else str(step.release),
    }


def _server(of: SeenServer) -> dict[str, Json]:
    return {
        "server": of.name,
        "relay": of.is_relay,
        "online": of.is_online,
        "release": None if of.release is None else str(of.release),
        "installed": [str(one) for one in sorted(of.installed)],
        "order": of.order,
        "ready": of.is_ready,
        "draining": of.is_draining,
        "resting": of.is_resting,
        "sessions": of.session_count,
        "problem": of.problem,
    }
