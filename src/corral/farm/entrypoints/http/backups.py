"""Backups: a list, the rules, and a task that makes one.

To verify or restore one takes its key, which no machine of the farm should have: there are only
commands for that.
"""

from http import HTTPStatus
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Response

from corral.farm.application.create_backup import BackupWish
from corral.farm.application.list_backups import BackupView
from corral.farm.application.set_backups import BackupRulesWish
from corral.farm.domain.access.permission import Permission
from corral.farm.domain.backup.backup import BackupRules, Recipient
from corral.farm.domain.task.task import TaskKind
from corral.farm.entrypoints.http import task_messages
from corral.farm.entrypoints.http.permitted import Caller, permitted
from corral.farm.entrypoints.http.wishes import Expected, tag
from corral.wire import backup as wire
from corral.wire.task import TaskDetails


def routes() -> APIRouter:
    """Give the routes of backups."""
    router = APIRouter(prefix="/v1/backups", tags=["backups"])

    @router.get("", operation_id="list_backups")
    def list_backups(
        caller: Annotated[Caller, permitted(Permission.BACKUP_READ)],
    ) -> wire.BackupList:
        """List the backups, newest first, with their ages and whether they were verified."""
        found = caller.application.list_backups()
        last = found.restoration
        return wire.BackupList(
            backups=tuple(map(_item, found.backups)),
            rules=_in_wire(found.rules),
            folder_problem=found.folder_problem,
            restored_at=None if last is None else last.restored_at,
        )

    @router.post("", operation_id="create_backup", status_code=HTTPStatus.ACCEPTED)
    def create_backup(
        message: wire.NewBackup, caller: Annotated[Caller, permitted(Permission.BACKUP_CREATE)]
    ) -> TaskDetails:
        """Queue a task that backs the farm up; refused at once if it has nowhere to go."""
        wish = BackupWish(with_chunks=message.with_chunks)
        caller.application.create_backup.prepare(wish)
        arguments = {"with_chunks": True} if message.with_chunks else {}
        task = caller.application.start_task(TaskKind.BACKUP.value, arguments)
        return task_messages.details(caller.application.show_task(task.number))

    @router.post("/roll-up", operation_id="roll_up_backups")
    def roll_up_backups(
        caller: Annotated[Caller, permitted(Permission.BACKUP_CHANGE)], *, dry_run: bool = False
    ) -> wire.RolledUp:
        """Take away the backups that are not kept, as each new backup does; or only name them."""
        gone = caller.application.roll_up_backups(is_dry_run=dry_run)
        return wire.RolledUp(rolled_up=tuple(one.name for one in gone), dry_run=dry_run)

    @router.get("/rules", operation_id="show_backup_rules")
    def show_rules(
        response: Response, caller: Annotated[Caller, permitted(Permission.BACKUP_READ)]
    ) -> wire.BackupRules:
        """Say where backups go, who can open them, and how many are kept."""
        return _tagged(caller.application.list_backups.rules(), response)

    @router.patch("/rules", operation_id="change_backup_rules")
    def change_rules(
        message: wire.BackupRulesEdit,
        expected: Expected,
        response: Response,
        caller: Annotated[Caller, permitted(Permission.BACKUP_CHANGE)],
    ) -> wire.BackupRules:
        """Change that; a rule that is not named stays."""
        wished = message.recipients
        wish = BackupRulesWish(
            folder=None if message.folder is None else Path(message.folder),
            recipients=None if wished is None else tuple(map(Recipient, wished)),
            with_chunks=message.with_chunks,
            daily=message.daily,
            weekly=message.weekly,
            monthly=message.monthly,
            too_old_days=message.too_old_days,
        )
        return _tagged(caller.application.set_backups(wish, expected), response)

    return router


def _item(of: BackupView) -> wire.BackupItem:
    backup, file = of.backup, of.file
    facts = None if file is None else file.facts
    told = backup or facts
    taken = of.taken_at
    return wire.BackupItem(
        name=of.path.name,
        path=str(of.path),
        id=None if told is None else told.id,
        taken_at=taken,
        age_seconds=None if taken is None else (of.at - taken).total_seconds(),
        size_bytes=of.size_bytes,
        release="" if told is None else told.release,
        database_schema="" if told is None else told.schema,
        by="" if told is None else told.by,
        has_chunks=told is not None and told.has_chunks,
        verified_at=None if backup is None else backup.verified_at,
        read_by="" if backup is None else backup.read_by,
        known=backup is not None,
        present=file is not None,
        problem=of.problem,
    )


def _tagged(rules: BackupRules, response: Response) -> wire.BackupRules:
    tag(response, rules.revision)
    return _in_wire(rules)


def _in_wire(rules: BackupRules) -> wire.BackupRules:
    return wire.BackupRules(
        folder=None if rules.folder is None else str(rules.folder),
        recipients=rules.recipients,
        with_chunks=rules.with_chunks,
        daily=rules.retention.daily,
        weekly=rules.retention.weekly,
        monthly=rules.retention.monthly,
        too_old_days=rules.too_old_days,
        revision=rules.revision,
    )
