"""What differs after the farm was restored."""

from typing import Annotated

from fastapi import APIRouter

from corral.farm.application.accept_difference import ShownDifference
from corral.farm.domain.access.permission import Permission
from corral.farm.domain.computer.computer import computer_name
from corral.farm.entrypoints.http.permitted import Caller, permitted
from corral.wire import difference as wire


def routes() -> APIRouter:
    """Give the routes."""
    router = APIRouter(prefix="/v1/farm/difference", tags=["farm"])

    @router.get("", operation_id="show_difference")
    def show(caller: Annotated[Caller, permitted(Permission.FARM_CHECK)]) -> wire.FarmDifference:
        """Show what the backup says, what the farm had said since, and what is so."""
        return _message(caller.application.show_difference())

    @router.post("", operation_id="accept_difference")
    def accept(
        message: wire.AcceptedDifference,
        caller: Annotated[Caller, permitted(Permission.FARM_UPGRADE)],
    ) -> wire.FarmDifference:
        """Take what is newer than the backup into the records, and work as always again."""
        names = tuple(map(computer_name, message.taking_from))
        verb = caller.application.accept_difference
        return _message(verb(message.because, message.seen, names))

    return router


def _message(shown: ShownDifference) -> wire.FarmDifference:
    restoration = shown.look.restoration
    return wire.FarmDifference(
        taken_at=restoration.taken_at,
        restored_at=restoration.restored_at,
        observes=shown.observes,
        waits=shown.waits,
        accepted_at=restoration.accepted_at,
        accepted_by=restoration.accepted_by,
        because=restoration.because,
        seen=shown.seen,
        differences=tuple(
            wire.Difference(
                code=one.kind.code,
                object=one.thing,
                meaning=one.kind.meaning,
                backup=one.backup,
                said=one.said,
                live=one.live,
                accepting=one.kind.accepting,
            )
            for one in shown.differences
        ),
    )
