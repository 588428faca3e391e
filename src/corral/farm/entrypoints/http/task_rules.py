"""How many tasks run at once, and how long ended ones are kept."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Response

from corral.farm.application.task_kinds import kind_named
from corral.farm.domain.access.permission import EVERYWHERE, Permission
from corral.farm.domain.task.rules import TaskRules, TaskRulesWish
from corral.farm.entrypoints.http.permitted import Caller, permitted
from corral.farm.entrypoints.http.wishes import Expected, tag
from corral.wire import task as wire


def routes() -> APIRouter:
    """Give the routes."""
    router = APIRouter(prefix="/v1/task-rules", tags=["tasks"])

    @router.get("", operation_id="show_task_rules")
    def show(
        response: Response, caller: Annotated[Caller, permitted(Permission.TASK_READ)]
    ) -> wire.TaskRules:
        """Say how many tasks run at once, and how long ended ones are kept."""
        return _shown(caller.application.show_task_rules(), response)

    @router.patch("", operation_id="change_task_rules")
    def change(
        message: wire.TaskRulesEdit,
        expected: Expected,
        response: Response,
        caller: Annotated[Caller, permitted(Permission.FARM_CHANGE)],
    ) -> wire.TaskRules:
        """Change it; a rule that is not named stays, and no task that runs is stopped."""
        caller.demand(EVERYWHERE)
        days = message.kept_days
        wish = TaskRulesWish(
            of_kind={kind_named(name): number for name, number in message.of_kind.items()},
            of_server=message.of_server,
            of_kind_on_server=message.of_kind_on_server,
            of_farm=message.without_server,
            kept_for=None if days is None else timedelta(days=days),
        )
        return _shown(caller.application.set_task_rules(wish, expected), response)

    return router


def _shown(rules: TaskRules, response: Response) -> wire.TaskRules:
    tag(response, rules.revision)
    limits = rules.limits
    return wire.TaskRules(
        of_kind={kind.value: number for kind, number in limits.of_kind.items()},
        of_server=limits.of_server,
        of_kind_on_server=limits.of_kind_on_server,
        without_server=limits.of_farm,
        kept_days=rules.kept_for.days,
        revision=rules.revision,
    )
