"""Rollouts: start, follow, pause, resume, stop, take back, try again, forget."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Response

from corral.farm.application.list_rollouts import (
    ROLLOUTS,
    MemberView,
    RolloutDetails,
    RolloutView,
)
from corral.farm.application.listing import page_of
from corral.farm.application.start_rollout import RolloutRequest, Started
from corral.farm.domain.access.permission import Permission
from corral.farm.domain.image.version import VersionName
from corral.farm.domain.library.item import item_name
from corral.farm.domain.rollout.gate import Judgement
from corral.farm.domain.rollout.member import MemberId
from corral.farm.domain.rollout.rollout import rollout_name
from corral.farm.domain.rollout.terms import TermsInvalidError, read_terms
from corral.farm.domain.rollout.wave import Wave
from corral.farm.entrypoints.http.permitted import Caller, permitted
from corral.farm.entrypoints.http.wishes import Expected, Wished, tag
from corral.wire import rollout as wire

Reader = Annotated[Caller, permitted(Permission.ROLLOUT_READ)]
Starter = Annotated[Caller, permitted(Permission.ROLLOUT_START)]
Changer = Annotated[Caller, permitted(Permission.ROLLOUT_CHANGE)]


def routes() -> APIRouter:
    """Give the routes of rollouts."""
    router = APIRouter(prefix="/v1/rollouts", tags=["rollouts"])
    _reading(router)
    _starting(router)
    _moving(router)
    return router


def _reading(router: APIRouter) -> None:
    @router.get("", operation_id="list_rollouts")
    def list_rollouts(wish: Wished, caller: Reader) -> wire.RolloutList:
        """List the rollouts with what their gates say.

        Keys are name, of, kind, state, machines, proven, failures, started.
        """
        page = page_of(list(caller.application.list_rollouts()), ROLLOUTS, wish)
        items = tuple(map(item, page.items))
        return wire.RolloutList(rollouts=items, total=page.total, next=page.next)

    @router.get("/{name}", operation_id="show_rollout")
    def show(name: str, response: Response, caller: Reader) -> wire.RolloutDetails:
        """Show a rollout as it is now, and of each machine why it is not offered it."""
        return _shown(caller, name, response)


def _starting(router: APIRouter) -> None:
    @router.post("", operation_id="start_rollout", status_code=HTTPStatus.CREATED)
    def start(message: wire.NewRollout, response: Response, caller: Starter) -> wire.RolloutDetails:
        """Begin to give a version or a kit to machines in waves."""
        started = caller.application.start_rollout(_request(message))
        return _shown(caller, started.course.rollout.name, response)

    @router.post("/plan", operation_id="plan_rollout")
    def plan(message: wire.NewRollout, caller: Starter) -> wire.RolloutPlan:
        """Say who would be in which wave, and change nothing."""
        return planned(caller.application.start_rollout.planned(_request(message)))


def _moving(router: APIRouter) -> None:
    @router.post("/{name}/pause", operation_id="pause_rollout")
    def pause(
        name: str,
        message: wire.RolloutMove,
        expected: Expected,
        response: Response,
        caller: Changer,
    ) -> wire.RolloutDetails:
        """Offer it to nobody new; what machines have begun they finish."""
        caller.application.pause_rollout(rollout_name(name), message.why, expected)
        return _shown(caller, name, response)

    @router.post("/{name}/resume", operation_id="resume_rollout")
    def resume(
        name: str,
        message: wire.RolloutResume,
        expected: Expected,
        response: Response,
        caller: Changer,
    ) -> wire.RolloutDetails:
        """Let it go on; after a gate has failed only if the failures are accepted."""
        caller.application.resume_rollout(
            rollout_name(name), accepts_failures=message.accept_failures, revision=expected
        )
        return _shown(caller, name, response)

    @router.post("/{name}/stop", operation_id="stop_rollout")
    def stop(
        name: str,
        message: wire.RolloutMove,
        expected: Expected,
        response: Response,
        caller: Changer,
    ) -> wire.RolloutDetails:
        """End it: who was seen to run it keeps it, everybody else is not to have it."""
        caller.application.stop_rollout(rollout_name(name), message.why, expected)
        return _shown(caller, name, response)

    @router.post("/{name}/take-back", operation_id="take_rollout_back")
    def take_back(
        name: str,
        message: wire.RolloutMove,
        expected: Expected,
        response: Response,
        caller: Changer,
    ) -> wire.RolloutDetails:
        """Have everybody who has it go back to what they had."""
        caller.application.take_rollout_back(rollout_name(name), message.why, expected)
        return _shown(caller, name, response)

    @router.post("/{name}/retry", operation_id="retry_rollout")
    def retry(
        name: str, message: wire.RolloutRetry, response: Response, caller: Changer
    ) -> wire.RolloutDetails:
        """Have machines try again; gives nothing back to the limits."""
        machines = tuple(map(MemberId, message.machines))
        caller.application.retry_rollout(rollout_name(name), machines)
        return _shown(caller, name, response)

    @router.delete("/{name}", operation_id="remove_rollout", status_code=HTTPStatus.NO_CONTENT)
    def remove(name: str, caller: Changer) -> None:
        """Forget one that has ended; machines then have what they have by rule."""
        caller.application.remove_rollout(rollout_name(name))


def _request(message: wire.NewRollout) -> RolloutRequest:
    if (message.version is None) == (message.kit is None):
        place, rule = "version", "name a version or a kit, and not both"
        raise TermsInvalidError(place, rule)
    given = (
        VersionName.parse(message.version)
        if message.version is not None
        else item_name(message.kit or "")
    )
    terms = None
    if message.terms is not None:
        # One reader for all who write terms.
        terms = read_terms(message.terms.model_dump_json(exclude_unset=True))
    return RolloutRequest(rollout_name(message.name), given, terms)


def _shown(caller: Caller, name: str, response: Response) -> wire.RolloutDetails:
    found = caller.application.show_rollout(rollout_name(name))
    tag(response, found.view.rollout.revision)
    return details(found)


def item(of: RolloutView) -> wire.RolloutItem:
    """Show one with what its gates say."""
    rollout = of.rollout
    return wire.RolloutItem(
        id=rollout.id,
        name=rollout.name,
        kind=rollout.offering.kind.value,
        of=rollout.offering.name,
        digest=rollout.offering.digest,
        state=rollout.state.value,
        why=rollout.why,
        started_at=rollout.started_at,
        started_by=rollout.started_by,
        changed_at=rollout.changed_at,
        machines=of.machines,
        proven=of.proven,
        failures=of.failures,
        waves=tuple(
            _wave(wave, judged) for wave, judged in zip(rollout.waves, of.judged, strict=True)
        ),
        silent_after_seconds=int(rollout.silent_after.total_seconds()),
        revision=rollout.revision,
    )


def _wave(wave: Wave, judged: Judgement) -> wire.RolloutWave:
    gate, tally = wave.gate, judged.tally
    return wire.RolloutWave(
        name=wave.name,
        upto_percent=wave.upto_percent,
        ring=tuple(sorted(wave.ring)),
        min_sample=gate.min_sample,
        min_proven_percent=gate.min_proven_percent,
        max_failures=gate.max_failures,
        max_failed_percent=gate.max_failed_percent,
        soak_seconds=int(gate.soak.total_seconds()),
        verdict=judged.verdict.value,
        reasons=tuple(one.value for one in judged.reasons),
        machines=tally.all,
        waiting=tally.waiting,
        pending=tally.pending,
        silent=tally.silent,
        proven=tally.proven,
        failed=tally.failed,
        returned=tally.returned,
        failures=tally.failures,
    )


def details(of: RolloutDetails) -> wire.RolloutDetails:
    """Show one with every machine."""
    waves = of.view.rollout.waves
    return wire.RolloutDetails(
        rollout=item(of.view),
        open_waves=of.plan.open_waves,
        members=tuple(_member(one, waves[one.member.wave].name) for one in of.members),
    )


def _member(of: MemberView, wave: str) -> wire.RolloutMember:
    member = of.member
    return wire.RolloutMember(
        id=member.id,
        computer=of.computer,
        user=of.user,
        wave=wave,
        state=member.state.value,
        attempt=member.attempt,
        offered_at=member.offered_at,
        seen_at=member.seen_at,
        attested_at=member.attested_at,
        failures=member.failures,
        accepted=member.accepted,
        code=member.code,
        problem=member.problem,
        why_not="" if of.why_not is None else of.why_not.why.value,
        why_not_text="" if of.why_not is None else str(of.why_not),
    )


def planned(of: Started) -> wire.RolloutPlan:
    """Show who would be in which wave."""
    names = {
        one.id: f"{one.computer.name}/{one.user}" if one.user else str(one.computer.name)
        for one in of.machines
    }
    rollout = of.course.rollout
    chosen = {one.id: one.wave for one in of.course.members}
    return wire.RolloutPlan(
        of=rollout.offering.name,
        waves=tuple(
            wire.PlannedWave(
                name=wave.name,
                machines=tuple(sorted(names[one] for one, at in chosen.items() if at == number)),
            )
            for number, wave in enumerate(rollout.waves)
        ),
        in_none=tuple(sorted(name for one, name in names.items() if one not in chosen)),
    )
