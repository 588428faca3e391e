"""Upgrades of the farm, as the API tells them."""

from collections.abc import Iterable
from datetime import datetime

from corral.farm.application.show_upgrade import UpgradeStatus
from corral.farm.domain.estate.server import ServerName
from corral.farm.domain.upgrade.acceptance import Acceptance
from corral.farm.domain.upgrade.blueprint import Step
from corral.farm.domain.upgrade.inventory import SeenConsole, SeenServer
from corral.farm.domain.upgrade.plan import Blocked
from corral.farm.domain.upgrade.upgrade import Upgrade
from corral.wire import upgrade as wire


def upgrade(of: Upgrade) -> wire.Upgrade:
    """Give one."""
    return wire.Upgrade(
        number=of.number,
        kit=of.kit,
        old=str(of.old),
        new=str(of.new),
        state=of.state.value,
        why=of.why,
        started_at=of.started_at,
        started_by=of.started_by,
        changed_at=of.changed_at,
        soak_seconds=int(of.soak.total_seconds()),
        first=of.first,
        revision=of.revision,
    )


def console(of: SeenConsole) -> wire.Console:
    """Give one."""
    release = None if of.release is None else str(of.release)
    return wire.Console(who=of.who, release=release, seen_at=of.seen_at)


def status(of: UpgradeStatus) -> wire.UpgradeStatus:
    """Give how far it is."""
    look, plan = of.look, of.plan
    return wire.UpgradeStatus(
        upgrade=upgrade(look.upgrade),
        next=None if plan.step is None else _step(of, plan.step),
        evidence=plan.evidence,
        untaken=of.untaken,
        waits_for=tuple(_blocked(of, one) for one in plan.waits_for),
        blocked=tuple(_blocked(of, one) for one in plan.blocked),
        servers=tuple(map(_server, look.inventory.servers)),
        steps=tuple(
            wire.AdoptedStep(
                **_step(of, one.step).model_dump(),
                generation=one.generation,
                adopted_at=one.adopted_at,
                by=one.by,
                evidence=one.evidence,
            )
            for one in look.history
        ),
        risks=risks(look.policy.acceptances, look.at).risks,
    )


def risks(accepted: Iterable[Acceptance], now: datetime) -> wire.AcceptanceList:
    """Give what was accepted, also what is over."""
    return wire.AcceptanceList(
        risks=tuple(
            wire.AcceptedRisk(
                risk=one.risk,
                by=one.by,
                until=one.until,
                because=one.because,
                accepted_at=one.accepted_at,
                in_force=one.covers(one.risk, now),
            )
            for one in accepted
        )
    )


def _blocked(of: UpgradeStatus, one: Blocked) -> wire.BlockedStep:
    return wire.BlockedStep(
        step=None if one.step is None else _step(of, one.step),
        risk=one.risk,
        message=one.message,
        way_out=one.way_out,
        can_be_accepted=one.can_be_accepted,
    )


def _step(of: UpgradeStatus, step: Step) -> wire.UpgradeStep:
    return wire.UpgradeStep(
        kind=step.kind.value,
        server=_name(of, step),
        release=None if step.release is None else str(step.release),
    )


def _name(of: UpgradeStatus, step: Step) -> ServerName | None:
    if step.server is None:
        return None
    return of.look.name_of(step.server)


def _server(of: SeenServer) -> wire.UpgradedServer:
    return wire.UpgradedServer(
        server=of.name,
        relay=of.is_relay,
        online=of.is_online,
        release=None if of.release is None else str(of.release),
        installed=tuple(map(str, sorted(of.installed))),
        order=of.order,
        ready=of.is_ready,
        draining=of.is_draining,
        resting=of.is_resting,
        sessions=of.session_count,
        problem=of.problem,
    )
