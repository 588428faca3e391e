"""Tasks about the farm as a whole: rebalance, backup."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from corral.farm.application.create_backup import BackupWish
from corral.farm.application.follow_work import Round
from corral.farm.application.progress import Amounts
from corral.farm.application.task_work import Arguments, Subject, stop_if_asked
from corral.farm.domain.delivery.move import Outcome
from corral.farm.domain.estate.site import site_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from corral.farm.application.create_backup import CreatedBackup
    from corral.farm.application.follow_work import MovesSeen
    from corral.farm.application.ports.records import Records
    from corral.farm.application.task_work import Verbs, Work


def read_rebalance_task(arguments: Arguments, records: Records) -> Subject:
    """Read which server or which site."""
    server, site = arguments.server(), arguments.text("site")
    if server is not None and not site:
        return Subject(records.servers.get(server).name)
    if site and server is None:
        return Subject(records.sites.get(site_name(site)).name)
    reason = "it needs a server or a site"
    raise arguments.refused(reason)


class _Moved:
    """How many devices have gone: the work of a rebalance is counted in devices."""

    def __init__(self) -> None:
        self._amounts = Amounts()

    def look(self, seen: MovesSeen) -> None:
        """Take what is known now."""
        self._amounts = Amounts(total_bytes=seen.total, done_bytes=seen.total - seen.open)

    def amounts(self) -> Amounts:
        return self._amounts

    def cancel(self) -> None:
        """Nothing works here: whoever watches looks at the progress."""


def run_rebalance_task(verbs: Verbs, work: Work) -> str:
    """Order a round, and watch until all have gone; who was asked lately is not asked again."""
    server = work.arguments.server()
    if server is not None:
        ordered = verbs.rebalance_servers.of_server(server)
    else:
        ordered = verbs.rebalance_servers.of_site(site_name(work.arguments.text("site")))
    for move in ordered.moves:
        work.around.say(f"{move.device} is asked to go from {move.origin} to {move.target}")
    # An earlier run, whose worker was killed, may have asked the devices. The clock by which the
    # task was asked for may be fast.
    followed = Round(ordered.sources, min(work.task.created_at, ordered.at), ordered.at)
    moved = _Moved()
    work.around.progress.watch(moved)
    while True:
        seen = verbs.follow_moves(followed)
        moved.look(seen)
        if not seen.open:
            return tell_moves(seen)
        stop_if_asked(work.around, "the moves")
        work.around.wait(1)


_STAYED: Final[Mapping[Outcome, str]] = MappingProxyType(
    {
        Outcome.ELSEWHERE: "went elsewhere",
        Outcome.LEFT: "stopped reading",
        Outcome.GIVEN_UP: "did not go",
    }
)


def tell_moves(seen: MovesSeen) -> str:
    """Say what a rebalance came to."""
    if not seen.total:
        return "no device was to move"
    said = f"{seen.total - len(seen.stayed)} of {seen.total} devices moved"
    others = (f"{device} {_STAYED[outcome]}" for device, outcome in seen.stayed)
    return "; ".join([said, *others])


def read_backup_task(arguments: Arguments, records: Records) -> Subject:
    """Read how much is copied."""
    # Where it goes may have been said in a terminal; a worker is refused by the verb.
    arguments.flag("with_chunks")
    return Subject(records.farm.get().name)


def run_backup_task(verbs: Verbs, work: Work) -> str:
    """Make one, and roll up those before it."""
    wish = BackupWish(with_chunks=work.arguments.flag("with_chunks"))
    created = verbs.create_backup(wish, work.around.progress)
    for one in created.rolled_up:
        work.around.say(f"{one.name} was rolled up")
    return tell_backup(created)


def tell_backup(created: CreatedBackup) -> str:
    """Say what a backup came to."""
    return f"backed up as {created.backup.name}, {created.backup.size_bytes} bytes"
