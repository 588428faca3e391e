"""The JSON that commands about rollouts and given kits print."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from corral.farm.application.assign_kit import ComputerKitView, KitComputerView
    from corral.farm.application.list_rollouts import MemberView, RolloutDetails, RolloutView
    from corral.farm.application.start_rollout import Started
    from corral.farm.domain.library.assignment import UpgradeView
    from corral.farm.domain.rollout.gate import Judgement
    from corral.farm.domain.rollout.wave import Wave
    from corral.farm.entrypoints.cli.output import Json


def rollout(of: RolloutView) -> dict[str, Json]:
    """Show one with what its gates say."""
    known = of.rollout
    return {
        "id": str(known.id),
        "name": known.name,
        "kind": known.offering.kind.value,
        "of": known.offering.name,
        "digest": known.offering.digest,
        "state": known.state.value,
        "why": known.why,
        "started_at": _instant(known.started_at),
        "started_by": known.started_by,
        "changed_at": _instant(known.changed_at),
        "machines": of.machines,
        "proven": of.proven,
        "failures": of.failures,
        "waves": [_wave(wave, judged) for wave, judged in zip(known.waves, of.judged, strict=True)],
        "silent_after_seconds": int(known.silent_after.total_seconds()),
        "revision": known.revision,
    }


def _wave(wave: Wave, judged: Judgement) -> dict[str, Json]:
    gate, tally = wave.gate, judged.tally
    return {
        "name": wave.name,
        "upto_percent": wave.upto_percent,
        "ring": sorted(wave.ring),
        "min_sample": gate.min_sample,
        "min_proven_percent": gate.min_proven_percent,
        "max_failures": gate.max_failures,
        "max_failed_percent": gate.max_failed_percent,
        "soak_seconds": int(gate.soak.total_seconds()),
        "verdict": judged.verdict.value,
        "reasons": [one.value for one in judged.reasons],
        "machines": tally.all,
        "waiting": tally.waiting,
        "pending": tally.pending,
        "silent": tally.silent,
        "proven": tally.proven,
        "failed": tally.failed,
        "returned": tally.returned,
        "failures": tally.failures,
    }


def details(of: RolloutDetails) -> dict[str, Json]:
    """Show one with every machine."""
    waves = of.view.rollout.waves
    return {
        **rollout(of.view),
        "open_waves": of.plan.open_waves,
        "members": [_member(one, waves[one.member.wave].name) for one in of.members],
    }


def _member(of: MemberView, wave: str) -> dict[str, Json]:
    member = of.member
    return {
        "id": member.id,
        "computer": of.computer,
        "user": of.user,
        "wave": wave,
        "state": member.state.value,
        "attempt": member.attempt,
        "offered_at": _instant(member.offered_at),
        "seen_at": _instant(member.seen_at),
        "attested_at": _instant(member.attested_at),
        "failures": member.failures,
        "accepted": member.accepted,
        "code": member.code,
        "problem": member.problem,
        "why_not": None if of.why_not is None else of.why_not.why.value,
        "why_not_text": "" if of.why_not is None else str(of.why_not),
    }


def planned(of: Started) -> dict[str, Json]:
    """Show who would be in which wave."""
    names = {one.id: machine_name(str(one.computer.name), one.user) for one in of.machines}
    chosen = {one.id: one.wave for one in of.course.members}
    return {
        "of": of.course.rollout.offering.name,
        "waves": [
            {
                "name": wave.name,
                "machines": sorted(names[one] for one, at in chosen.items() if at == number),
            }
            for number, wave in enumerate(of.course.rollout.waves)
        ],
        "in_none": sorted(name for one, name in names.items() if one not in chosen),
    }


def machine_name(computer: str, user: str) -> str:
    """Give what people call a machine."""
    return f"{computer}/{user}" if user else computer


def kit_computer(of: KitComputerView) -> dict[str, Json]:
    """Show a computer beside a kit."""
    return {
        "computer": of.computer.name,
        "assigned": of.assignment is not None,
        "running": None if of.said is None else of.said.engine.release,
        **_upgrade(of.upgrade),
    }


def computer_kit(of: ComputerKitView) -> dict[str, Json]:
    """Show a kit beside a computer."""
    return {
        "kit": of.item.name,
        "release": None if of.item.kit is None else str(of.item.kit.manifest.release),
        "assigned": of.assignment is not None,
        **_upgrade(of.upgrade),
    }


def _upgrade(of: UpgradeView) -> dict[str, Json]:
    return {
        "upgrade": of.upgrade.value,
        "detail": of.detail,
        "seen_at": _instant(of.since),
        "done_bytes": of.done_bytes,
        "total_bytes": of.total_bytes,
        "code": of.code,
        "text": of.text,
    }


def _instant(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
