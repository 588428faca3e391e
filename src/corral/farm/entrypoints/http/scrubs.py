"""The scrub of stores: how often and how fast, and what servers say of it."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Response

from corral.farm.domain.access.permission import EVERYWHERE, Permission
from corral.farm.domain.estate.replication import checked_rate
from corral.farm.domain.estate.scrub import (
    ScrubPass,
    ScrubPolicy,
    SeenScrub,
    interval_of_seconds,
)
from corral.farm.domain.estate.store import store_name
from corral.farm.entrypoints.http.permitted import Caller, permitted
from corral.farm.entrypoints.http.wishes import Expected, tag
from corral.wire import estate, server


def routes() -> APIRouter:
    """Give the routes."""
    router = APIRouter(prefix="/v1/stores", tags=["stores"])

    @router.put("/{name}/scrub", operation_id="set_scrub")
    def set_scrub(
        name: str,
        message: estate.ScrubPolicy,
        expected: Expected,
        response: Response,
        caller: Annotated[Caller, permitted(Permission.STORE_CHANGE)],
    ) -> estate.ScrubPolicy:
        """Say how often and how fast the servers of a store read all that they keep."""
        caller.demand(EVERYWHERE)
        rate = checked_rate(message.rate) if message.rate else 0
        policy = ScrubPolicy(rate, interval_of_seconds(message.every_seconds))
        store = caller.application.set_scrub(store_name(name), policy, expected)
        tag(response, store.revision)
        return policy_of(store.scrub)

    return router


def policy_of(policy: ScrubPolicy) -> estate.ScrubPolicy:
    """Give the message of a policy."""
    seconds = round(policy.every.total_seconds())
    return estate.ScrubPolicy(rate=policy.rate, every_seconds=seconds)


def scrub_of(seen: SeenScrub) -> server.ScrubReport:
    """Give the message of what a server said."""
    return server.ScrubReport(
        under_way=_pass_of(seen.under_way),
        last=_pass_of(seen.last),
        passes=seen.passes,
        checked_bytes=seen.checked_bytes,
        damaged_chunks=seen.damaged_chunks,
        healed_chunks=seen.healed_chunks,
        unhealed_chunks=seen.unhealed_chunks,
        problem=seen.problem,
    )


def _pass_of(one: ScrubPass | None) -> server.ScrubPass | None:
    if one is None:
        return None
    return server.ScrubPass(
        started_at=int(one.started_at.timestamp()),
        finished_at=None if one.finished_at is None else int(one.finished_at.timestamp()),
        total_bytes=one.total_bytes,
        checked_bytes=one.checked_bytes,
        damaged_chunks=one.damaged_chunks,
        healed_chunks=one.healed_chunks,
    )


def seen_scrub(message: server.ScrubReport) -> SeenScrub:
    """Read what a server says."""
    return SeenScrub(
        under_way=_seen_pass(message.under_way),
        last=_seen_pass(message.last),
        passes=message.passes,
        checked_bytes=message.checked_bytes,
        damaged_chunks=message.damaged_chunks,
        healed_chunks=message.healed_chunks,
        unhealed_chunks=message.unhealed_chunks,
        problem=message.problem,
    )


def _seen_pass(message: server.ScrubPass | None) -> ScrubPass | None:
    if message is None:
        return None
    try:
        started_at = datetime.fromtimestamp(message.started_at, UTC)
        finished_at = (
            None
            if message.finished_at is None
            else datetime.fromtimestamp(message.finished_at, UTC)
        )
    except (OverflowError, ValueError, OSError):
        # A clock that is out of all bounds.
        return None
    return ScrubPass(
        started_at=started_at,
        finished_at=finished_at,
        total_bytes=message.total_bytes,
        checked_bytes=message.checked_bytes,
        damaged_chunks=message.damaged_chunks,
        healed_chunks=message.healed_chunks,
    )
