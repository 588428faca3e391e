"""Upgrades of the farm."""

from datetime import timedelta
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Response

from corral.farm.application.start_upgrade import UpgradeRequest
from corral.farm.domain.access.permission import Permission
from corral.farm.domain.estate.server import server_name
from corral.farm.domain.library.item import item_name
from corral.farm.entrypoints.http import upgrade_messages
from corral.farm.entrypoints.http.permitted import Caller, permitted
from corral.farm.entrypoints.http.wishes import Expected, tag
from corral.wire import upgrade as wire

Reader = Annotated[Caller, permitted(Permission.FARM_CHECK)]
Upgrader = Annotated[Caller, permitted(Permission.FARM_UPGRADE)]


def routes() -> APIRouter:
    """Give the routes of upgrades."""
    router = APIRouter(prefix="/v1/upgrade", tags=["farm"])
    _checking(router)
    _reading(router)
    _moving(router)
    _accepting(router)
    return router


def _checking(router: APIRouter) -> None:
    @router.get("/check", operation_id="check_upgrade")
    def check(
        caller: Reader,
        kit: Annotated[str, Query(description="Name of the kit in the library.", max_length=255)],
    ) -> wire.UpgradeCheck:
        """Say whether the farm may be upgraded by a kit, and all that is in the way."""
        found = caller.application.check_upgrade(item_name(kit))
        return wire.UpgradeCheck(
            kit=kit,
            now=str(found.now),
            to=str(found.to.release),
            at=found.at,
            clear=found.is_clear,
            hindrances=tuple(
                wire.Hindrance(
                    code=one.obstacle.code,
                    object=one.thing,
                    message=one.message,
                    way_out=one.obstacle.way_out,
                    can_be_accepted=one.obstacle.can_be_accepted,
                )
                for one in found.hindrances
            ),
            accepted=upgrade_messages.risks((said for _, said in found.accepted), found.at).risks,
            to_republish=found.to_republish,
            consoles=tuple(map(upgrade_messages.console, found.consoles)),
        )


def _reading(router: APIRouter) -> None:
    @router.get("/plan", operation_id="plan_upgrade")
    def plan(
        caller: Reader,
        kit: Annotated[str, Query(description="Name of the kit in the library.", max_length=255)],
        *,
        first: Annotated[
            list[str] | None, Query(description="Servers to begin with.", max_length=1000)
        ] = None,
        runbook: Annotated[bool, Query(description="As commands for hand execution.")] = False,
    ) -> wire.UpgradePlan:
        """Tell every step of an upgrade, what it waits for, and who moves where."""
        tell = caller.application.plan_upgrade
        names = tuple(map(server_name, first or ()))
        text = tell.by_hand(item_name(kit), names) if runbook else tell(item_name(kit), names)
        return wire.UpgradePlan(kit=kit, text=text)

    @router.get("", operation_id="show_upgrade")
    def show(response: Response, caller: Reader) -> wire.UpgradeStatus:
        """Show how far the upgrade is, what comes next, and why something does not."""
        return _shown(caller, response)

    @router.get("/list", operation_id="list_upgrades")
    def list_upgrades(caller: Reader) -> wire.UpgradeList:
        """List the farm's upgrades, oldest first."""
        found = caller.application.list_upgrades()
        return wire.UpgradeList(upgrades=tuple(map(upgrade_messages.upgrade, found)))


def _moving(router: APIRouter) -> None:
    @router.post("", operation_id="run_upgrade", status_code=HTTPStatus.CREATED)
    def run(message: wire.NewUpgrade, response: Response, caller: Upgrader) -> wire.UpgradeStatus:
        """Begin to upgrade the farm, if nothing is in the way."""
        caller.application.start_upgrade(
            UpgradeRequest(
                item_name(message.kit),
                timedelta(seconds=message.soak_seconds),
                tuple(map(server_name, message.first)),
            )
        )
        return _shown(caller, response)

    @router.post("/pause", operation_id="pause_upgrade")
    def pause(
        message: wire.UpgradeMove, expected: Expected, response: Response, caller: Upgrader
    ) -> wire.UpgradeStatus:
        """Begin no further step; one that has begun ends."""
        caller.application.pause_upgrade(message.why, revision=expected)
        return _shown(caller, response)

    @router.post("/resume", operation_id="resume_upgrade")
    def resume(expected: Expected, response: Response, caller: Upgrader) -> wire.UpgradeStatus:
        """Go on; what had failed is tried again."""
        caller.application.resume_upgrade(revision=expected)
        return _shown(caller, response)

    @router.post("/finalise", operation_id="finalise_upgrade")
    def finalise(expected: Expected, response: Response, caller: Upgrader) -> wire.UpgradeStatus:
        """Take away what only the old release needs: there is no way back after it."""
        caller.application.finalise_upgrade(revision=expected)
        return _shown(caller, response)

    @router.post("/roll-back", operation_id="roll_upgrade_back")
    def roll_back(
        message: wire.UpgradeMove, expected: Expected, response: Response, caller: Upgrader
    ) -> wire.UpgradeStatus:
        """Bring everything back to the old release, server by server, while devices stream."""
        caller.application.roll_upgrade_back(message.why, revision=expected)
        return _shown(caller, response)


def _accepting(router: APIRouter) -> None:
    @router.get("/risks", operation_id="list_accepted_risks")
    def list_risks(caller: Reader) -> wire.AcceptanceList:
        """List what was accepted, by whom, until when and why; also what is over."""
        found = caller.application.list_acceptances()
        return upgrade_messages.risks(found.risks, found.at)

    @router.post("/risks", operation_id="accept_risk", status_code=HTTPStatus.CREATED)
    def accept(message: wire.NewAcceptance, caller: Upgrader) -> wire.AcceptanceList:
        """Take a named risk upon oneself until a date."""
        caller.application.accept_risk(message.risk, message.until, message.because)
        return list_risks(caller)

    @router.delete("/risks", operation_id="withdraw_acceptance", status_code=HTTPStatus.NO_CONTENT)
    def withdraw(
        caller: Upgrader,
        risk: Annotated[str, Query(description="As it was accepted.", max_length=255)],
    ) -> None:
        """Take back that it was accepted."""
        caller.application.withdraw_acceptance(risk)


def _shown(caller: Caller, response: Response) -> wire.UpgradeStatus:
    found = caller.application.show_upgrade()
    tag(response, found.look.upgrade.revision)
    return upgrade_messages.status(found)
