"""The kinds of tasks: for each, the verb that it runs and how its arguments are read.

A verb that takes long becomes a kind here: a member of ``TaskKind``, its limit in ``Limits``, the
verb in ``task_work.Verbs``, how it is read and run in ``image_tasks``, ``store_tasks``,
``library_tasks`` or ``farm_tasks``, and a row in ``KINDS``. Verbs know nothing of tasks; they take
a ``Progress``.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from corral.farm.application.farm_tasks import (
    read_backup_task,
    read_rebalance_task,
    run_backup_task,
    run_rebalance_task,
)
from corral.farm.application.image_tasks import (
    read_import_task,
    read_replicate_task,
    read_republish_task,
    read_seal_task,
    run_import_task,
    run_replicate_task,
    run_republish_task,
    run_seal_task,
)
from corral.farm.application.library_tasks import read_library_task, run_library_task
from corral.farm.application.relay_transfers import read_relay_task, run_relay_task
from corral.farm.application.store_tasks import (
    read_collect_task,
    read_scrub_task,
    read_store_task,
    read_verify_task,
    run_collect_task,
    run_heal_task,
    run_scrub_task,
    run_verify_task,
)
from corral.farm.application.task_work import Arguments, KindRules, Work
from corral.farm.domain.access.permission import Permission
from corral.farm.domain.task.errors import TaskArgumentsInvalidError, TaskKindUnknownError
from corral.farm.domain.task.task import TaskKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from corral.farm.application.ports.records import Records
    from corral.farm.application.task_work import Subject, Surroundings, Verbs
    from corral.farm.domain.task.task import Argument, Task


KINDS: Final[Mapping[TaskKind, KindRules]] = MappingProxyType(
    {
        TaskKind.IMPORT: KindRules(
            takes=(
                "image",
                "path",
                "format",
                "server",
                "description",
                "new",
                "even_if_unchanged",
                "to",
                "at",
                "guest_tools",
            ),
            must_have=2,
            permission=Permission.IMAGE_IMPORT,
            read=read_import_task,
            run=run_import_task,
            cancel_leaves="no version was published; chunks that got in are used again by the next"
            " import, or collected",
        ),
        TaskKind.REPLICATE: KindRules(
            takes=("version", "to"),
            must_have=2,
            permission=Permission.REPLICA_CHANGE,
            read=read_replicate_task,
            run=run_replicate_task,
            cancel_leaves="only the watching ends: the servers should still hold the version, and"
            " fetch it by themselves",
            goes_on="the servers fetch the version all the same: 'corral replication limit' slows"
            " them",
        ),
        TaskKind.RELAY: KindRules(
            takes=("version", "server"),
            must_have=2,
            permission=Permission.REPLICA_CHANGE,
            read=read_relay_task,
            run=run_relay_task,
            cancel_leaves="the relay fetches no more of the version until the task is retried;"
            " what has come stays",
        ),
        TaskKind.VERIFY: KindRules(
            takes=("server", "version"),
            must_have=0,
            permission=Permission.STORE_VERIFY,
            read=read_verify_task,
            run=run_verify_task,
            cancel_leaves="what was read is forgotten, and nothing was changed",
        ),
        TaskKind.HEAL: KindRules(
            takes=("server",),
            must_have=1,
            permission=Permission.STORE_VERIFY,
            read=read_store_task,
            run=run_heal_task,
            cancel_leaves="chunks that were healed stay so; the others are as they were",
        ),
        TaskKind.COLLECT: KindRules(
            takes=("server", "dry_run"),
            must_have=1,
            permission=Permission.STORE_COLLECT,
            read=read_collect_task,
            run=run_collect_task,
            cancel_leaves="what was freed is free; the rest stays until the next collection",
        ),
        TaskKind.SCRUB: KindRules(
            takes=("server", "rate"),
            must_have=1,
            permission=Permission.STORE_VERIFY,
            read=read_scrub_task,
            run=run_scrub_task,
            cancel_leaves="chunks that were healed stay so; the server goes on with the rest in the"
            " background",
        ),
        TaskKind.SEAL: KindRules(
            takes=("image", "access", "description", "even_if_unchanged"),
            must_have=1,
            permission=Permission.VERSION_MAINTAIN,
            read=read_seal_task,
            run=run_seal_task,
            cancel_leaves="only the watching ends: the server goes on sealing, and publishes",
            goes_on="the server goes on sealing, and publishes",
        ),
        TaskKind.REPUBLISH: KindRules(
            takes=("image", "to"),
            must_have=1,
            permission=Permission.VERSION_MAINTAIN,
            read=read_republish_task,
            run=run_republish_task,
            cancel_leaves="no version was published, and nothing of what its guest wrote is left",
        ),
        TaskKind.REBALANCE: KindRules(
            takes=("server", "site"),
            must_have=0,
            permission=Permission.SERVER_BALANCE,
            read=read_rebalance_task,
            run=run_rebalance_task,
            cancel_leaves="only the watching ends: devices that were asked to move still go",
            goes_on="devices that were asked to move still go",
        ),
        TaskKind.BACKUP: KindRules(
            takes=("with_chunks",),
            must_have=0,
            permission=Permission.BACKUP_CREATE,
            read=read_backup_task,
            run=run_backup_task,
            cancel_leaves="no backup was made; chunks that were copied are used by the next one",
        ),
        TaskKind.LIBRARY: KindRules(
            takes=("path", "kind", "name", "server"),
            must_have=1,
            permission=Permission.LIBRARY_IMPORT,
            read=read_library_task,
            run=run_library_task,
            cancel_leaves="nothing is available; chunks that got in are used again by the next"
            " import, or collected",
        ),
    }
)


def kind_named(text: str) -> TaskKind:
    """Read the name of a kind."""
    try:
        return TaskKind(text)
    except ValueError:
        raise TaskKindUnknownError(text, TaskKind) from None


def arguments_of(kind: TaskKind, given: Mapping[str, Argument]) -> Arguments:
    """Check the names of a task's arguments."""
    rules = KINDS[kind]
    for name in given:
        if name not in rules.takes:
            reason = f"it takes no {name!r}"
            raise TaskArgumentsInvalidError(kind, reason, rules.takes)
    for name in rules.takes[: rules.must_have]:
        if not given.get(name):
            reason = f"{name!r} is missing"
            raise TaskArgumentsInvalidError(kind, reason, rules.takes)
    return Arguments(kind, given, rules.takes)


def subject_of(kind: TaskKind, given: Mapping[str, Argument], records: Records) -> Subject:
    """Check a task's arguments, and say what it is about and where it must run."""
    return KINDS[kind].read(arguments_of(kind, given), records)


def carry_out(verbs: Verbs, task: Task, around: Surroundings) -> str:
    """Do what a task is for, and say in a line what it came to."""
    kind = task.request.kind
    arguments = arguments_of(kind, task.request.arguments)
    return KINDS[kind].run(verbs, Work(task, arguments, around))


def without_defaults(arguments: Mapping[str, Argument]) -> Mapping[str, Argument]:
    """Leave out what says nothing, so that a task shows what was asked for."""
    return MappingProxyType({name: value for name, value in arguments.items() if value})
