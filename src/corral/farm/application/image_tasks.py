"""Tasks about images and their versions: import, replicate, seal, republish."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from corral.farm.application.choose_version import holding_server
from corral.farm.application.import_image import ImportRequest
from corral.farm.application.progress import Amounts
from corral.farm.application.republish_image import RepublishRequest
from corral.farm.application.task_work import Arguments, Subject, stop_if_asked
from corral.farm.application.writers import refuse_in_maintenance
from corral.farm.domain.delivery.errors import ImageWithoutVersionError
from corral.farm.domain.estate.errors import NoServerError
from corral.farm.domain.estate.server import server_name
from corral.farm.domain.image.errors import (
    ReplicaStuckError,
)
from corral.farm.domain.image.image import image_name
from corral.farm.domain.image.overlay import OverlayPhase, Promotion
from corral.farm.domain.image.replica import ReplicaState
from corral.farm.domain.image.republishing_errors import (
    RepublishTooEarlyError,
    RepublishUnderWayError,
)
from corral.farm.domain.image.version import Access, VersionName, newest_published
from corral.farm.domain.library.release import Release
from corral.farm.domain.task.errors import (
    SealingFailedError,
)
from corral.farm.domain.task.task import TaskKind

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from corral.farm.application.follow_work import Sealing
    from corral.farm.application.import_image import ImportOutcome
    from corral.farm.application.list_images import ReplicaView
    from corral.farm.application.ports.records import Records
    from corral.farm.application.task_work import Verbs, Work
    from corral.farm.domain.estate.server import ServerName
    from corral.farm.domain.image.version import Version

PATIENCE_SECONDS: Final = 20.0
"""How long a server may be unable to go on before nobody waits for it any more."""
_LOOK_SECONDS: Final = 1


def read_import_task(arguments: Arguments, records: Records) -> Subject:
    """Read what is imported, and choose the server."""
    arguments.file("path")
    arguments.disk_format("format")
    arguments.flag("new")
    arguments.flag("even_if_unchanged")
    arguments.text("description")
    arguments.access("to")
    arguments.moment("at")
    _tools(arguments)
    wanted = arguments.server()
    if wanted is not None:
        server = records.servers.get(wanted)
    else:
        servers = [one for one in records.servers.all() if not one.relay]
        if not servers:
            raise NoServerError
        server = min(servers, key=lambda one: (one.added_at, one.name))
    return Subject(image_name(arguments.text("image")), server.name)


def run_import_task(verbs: Verbs, work: Work) -> str:
    """Import a disk, and keep with the version that this task made it."""

    def note(records: Records, version: Version) -> None:
        work.around.made(records, f"published {version.name}")

    outcome = verbs.import_image(
        ImportRequest(
            image=image_name(work.arguments.text("image")),
            path=work.arguments.file("path"),
            format=work.arguments.disk_format("format"),
            server=work.task.request.server,
            description=work.arguments.text("description"),
            must_be_new=work.arguments.flag("new"),
            even_if_unchanged=work.arguments.flag("even_if_unchanged"),
            to=work.arguments.access("to"),
            release_at=work.arguments.moment("at"),
            guest_tools=_tools(work.arguments),
            also=note,
        ),
        work.around.progress,
    )
    return tell_import(outcome)


def _tools(arguments: Arguments) -> Release | None:
    text = arguments.text("guest_tools")
    return Release.parse(text) if text else None


def tell_import(outcome: ImportOutcome) -> str:
    """Say what an import came to."""
    done = "published" if outcome.is_published else "unchanged, nothing was published: it is"
    return f"{done} {outcome.version.name}"


def read_replicate_task(arguments: Arguments, records: Records) -> Subject:
    """Read which version, and to which servers."""
    name = VersionName.parse(arguments.text("version"))
    records.versions.get(name)
    for server in arguments.texts("to"):
        records.servers.get(server_name(server))
    return Subject(str(name))


class Fetched:
    """What servers have of a version, as they last said."""

    def __init__(self) -> None:
        self.replicas: Sequence[ReplicaView] = ()
        self._stuck_seconds = 0.0

    def see(self, name: VersionName, replicas: Sequence[ReplicaView], seconds: float) -> None:
        """Take what they say now, ``seconds`` after what they said before.

        A peer that is only being restarted is no reason to give up: a server tries again every few
        seconds. Raises ``ReplicaStuckError`` if one has been stuck for ``PATIENCE_SECONDS`` and
        nothing came meanwhile.
        """
        had = self.amounts().done_bytes
        self.replicas = replicas
        stuck = [one for one in replicas if one.replica.state is ReplicaState.STUCK]
        if self.amounts().done_bytes > had:
            self._stuck_seconds = 0.0
        elif stuck:
            self._stuck_seconds += seconds
        if stuck and self._stuck_seconds > PATIENCE_SECONDS:
            raise ReplicaStuckError(str(name), stuck[0].server.name, stuck[0].replica.problem)

    def amounts(self) -> Amounts:
        """Add them up."""
        return Amounts(
            total_bytes=sum(one.replica.total_bytes for one in self.replicas),
            done_bytes=sum(one.replica.done_bytes for one in self.replicas),
            new_bytes=sum(one.replica.fetched_bytes for one in self.replicas),
        )

    def cancel(self) -> None:
        """Nothing works here: whoever watches looks at the progress."""


def run_replicate_task(verbs: Verbs, work: Work) -> str:
    """Say what should be, and watch the servers until it is."""
    name = VersionName.parse(work.arguments.text("version"))
    servers = [server_name(one) for one in work.arguments.texts("to")]
    verbs.replicate_version(name, servers)
    fetched = Fetched()
    work.around.progress.watch(fetched)
    while True:
        stop_if_asked(work.around, f"the replication of {name}")
        replicas = verbs.show_version(name).replicas
        fetched.see(name, [one for one in replicas if one.server.name in servers], _LOOK_SECONDS)
        if all(one.replica.is_complete for one in fetched.replicas):
            return tell_replication(name, servers)
        work.around.wait(_LOOK_SECONDS)


def tell_replication(name: VersionName, servers: Sequence[ServerName]) -> str:
    """Say what a replication came to."""
    return f"{', '.join(servers)} hold {name}"


def read_seal_task(arguments: Arguments, records: Records) -> Subject:
    """Read which image, and for whom the new version is."""
    name = image_name(arguments.text("image"))
    records.images.get(name)
    _access_wanted(arguments)
    arguments.text("description")
    arguments.flag("even_if_unchanged")
    return Subject(name)


def _access_wanted(arguments: Arguments) -> Access:
    text = arguments.text("access", Access.TEST)
    try:
        return Access(text)
    except ValueError:
        reason = f"'access' must be one of {', '.join(Access)}"
        raise arguments.refused(reason) from None


class SealedByServer:
    """How far a server is with sealing, as it last said."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._amounts = Amounts()
        self._problem = ""

    def look(self, seen: Sealing) -> None:
        """Take what is known now; a problem that is new is worth a line of the log."""
        if seen.total_bytes:
            self._amounts = Amounts(total_bytes=seen.total_bytes, done_bytes=seen.done_bytes)
        if seen.problem and seen.problem != self._problem:
            self._say(f"the server says: {seen.problem}")
        self._problem = seen.problem

    def be_through(self) -> None:
        """Note that the version is there: the last report before it knew less."""
        total = self._amounts.total_bytes
        if total is not None:
            self._amounts = Amounts(total_bytes=total, done_bytes=total)

    def amounts(self) -> Amounts:
        """Give what was last looked at."""
        return self._amounts

    def cancel(self) -> None:
        """Nothing works here: whoever watches looks at the progress."""


def run_seal_task(verbs: Verbs, work: Work) -> str:
    """Have the server seal, and watch it; an earlier run may have asked for it already."""
    name = image_name(work.arguments.text("image"))
    seen = verbs.follow_sealing(name)
    is_done = seen.newest is not None and seen.newest.published_at > work.task.created_at
    if seen.phase is not OverlayPhase.SEALING and not is_done:
        promotion = Promotion(
            _access_wanted(work.arguments), None, work.arguments.text("description")
        )
        even_if_unchanged = work.arguments.flag("even_if_unchanged")
        verbs.promote_maintenance(name, promotion, even_if_unchanged=even_if_unchanged)
    sealed = SealedByServer(work.around.say)
    work.around.progress.watch(sealed)
    while True:
        stop_if_asked(work.around, f"the sealing of {name}")
        seen = verbs.follow_sealing(name)
        sealed.look(seen)
        if seen.newest is not None and seen.newest.published_at > work.task.created_at:
            sealed.be_through()
            return f"published {seen.newest.name}"
        if seen.phase is not OverlayPhase.SEALING:
            raise SealingFailedError(name, seen.problem)
        work.around.wait(_LOOK_SECONDS)


def read_republish_task(arguments: Arguments, records: Records) -> Subject:
    """Read which image, and choose the server that holds what the new version is built on."""
    name = image_name(arguments.text("image"))
    _republished_for(arguments)
    image = records.images.get(name)
    upgrade = records.upgrades.find_open()
    if upgrade is not None:
        # Older releases, which work on the same records meanwhile, do not know of such tasks.
        raise RepublishTooEarlyError(name, upgrade.number, upgrade.state)
    refuse_in_maintenance(records, image)
    for task in records.tasks.active():
        if task.request.kind is TaskKind.REPUBLISH and task.request.object == name:
            raise RepublishUnderWayError(name, task.number)
    base = newest_published(records.versions.of_image(image.id))
    if base is None:
        raise ImageWithoutVersionError(name)
    return Subject(name, holding_server(records, base, None).name)


def _republished_for(arguments: Arguments) -> Access:
    """Give who may start the new version: only who is staged, unless it is said."""
    return arguments.access("to") if arguments.text("to") else Access.TEST


def run_republish_task(verbs: Verbs, work: Work) -> str:
    """Republish it, and keep with the version that this task made it."""

    def note(records: Records, version: Version) -> None:
        work.around.made(records, tell_republished(version))

    version = verbs.republish_image(
        RepublishRequest(
            image=image_name(work.arguments.text("image")),
            server=work.task.request.server,
            to=_republished_for(work.arguments),
            also=note,
        ),
        work.around.progress,
        work.around.say,
    )
    return tell_republished(version)


def tell_republished(version: Version) -> str:
    """Say what republishing came to."""
    return f"published {version.name} with guest tools {version.guest_tools}"
