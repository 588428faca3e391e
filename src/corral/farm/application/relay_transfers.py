"""Each transfer to a relay is a task, which people see, pause and cancel like any other.

The relay fetches by itself: the task only watches, and a farm without workers loses nothing but
the sight of it. What people want of it the relay hears all the same, for its configuration names
no replica whose transfer is paused or was cancelled.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from corral.farm.application.image_tasks import Fetched
from corral.farm.application.task_work import Arguments, Subject, Work, stop_if_asked
from corral.farm.domain.access.actor import THE_FARM
from corral.farm.domain.estate.server import server_name
from corral.farm.domain.image.version import VersionName
from corral.farm.domain.task.state import TaskState
from corral.farm.domain.task.task import LogLine, Task, TaskKind, TaskRequest

if TYPE_CHECKING:
    from datetime import datetime

    from corral.farm.application.ports.records import Records
    from corral.farm.application.task_work import Verbs
    from corral.farm.domain.estate.server import Server
    from corral.farm.domain.image.replica import Replica
    from corral.farm.domain.image.version import Version

_RESTING = frozenset({TaskState.PAUSED, TaskState.CANCELLED})


def begin_transfer(
    records: Records, server: Server, replica: Replica, version: Version, now: datetime
) -> None:
    """Write down the task of a replica that a relay was just told to have."""
    if records.tasks.with_origin(_origin(replica)) is not None:
        return
    request = TaskRequest(
        kind=TaskKind.RELAY,
        object=f"{version.name} to {server.name}",
        owner=THE_FARM,
        arguments={"version": str(version.name), "server": str(server.name)},
        origin=_origin(replica),
    )
    task = Task(records.tasks.next_number(), request, now)
    records.tasks.add(task)
    records.tasks.note(task.number, LogLine(now, f"computers of {server.name}'s site need it"))


def is_resting(records: Records, replica: Replica) -> bool:
    """Say whether somebody has paused or cancelled the transfer of a relay's replica."""
    if replica.is_offered:
        return False
    task = records.tasks.with_origin(_origin(replica))
    return task is not None and task.state in _RESTING


def read_relay_task(arguments: Arguments, records: Records) -> Subject:
    """Read which version, and to which relay."""
    name = VersionName.parse(arguments.text("version"))
    records.versions.get(name)
    server = records.servers.get(server_name(arguments.text("server")))
    return Subject(f"{name} to {server.name}")


def run_relay_task(verbs: Verbs, work: Work) -> str:
    """Watch a relay until it holds a version, or need not any more.

    That its line is cut is no failure: it goes on when the line is back.
    """
    name = VersionName.parse(work.arguments.text("version"))
    server = server_name(work.arguments.text("server"))
    fetched = Fetched()
    work.around.progress.watch(fetched)
    while True:
        stop_if_asked(work.around, f"the transfer of {name} to {server}")
        fetched.replicas = [
            one for one in verbs.show_version(name).replicas if one.server.name == server
        ]
        if not any(not one.replica.is_removing for one in fetched.replicas):
            return f"{server} need not hold {name} any more"
        if all(one.replica.is_complete for one in fetched.replicas):
            return f"{server} holds {name}"
        work.around.wait(1)


def _origin(replica: Replica) -> str:
    """Give what is another each time that a relay is told to have a version."""
    said = f"{replica.server_id} {replica.root.hex} {replica.wanted_at.isoformat()}"
    return f"relay {hashlib.sha256(said.encode()).hexdigest()[:40]}"
