"""The kinds of tasks: for each, the verb that it runs and how its arguments are read.

A verb that takes long becomes a kind here, in one place: a member of ``TaskKind``, its limit in
``Limits``, the verb in ``Verbs``, and a row in ``KINDS``. Verbs know nothing of tasks; they take a
``Progress``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Protocol

from corral.farm.application.choose_version import published_version
from corral.farm.application.import_image import ImportRequest
from corral.farm.application.ports.disk_files import DiskFormat
from corral.farm.application.progress import Amounts
from corral.farm.application.verify_version import server_to_check
from corral.farm.domain.access.permission import Permission
from corral.farm.domain.estate.errors import NoServerError
from corral.farm.domain.estate.server import ServerName, server_name
from corral.farm.domain.estate.site import site_name
from corral.farm.domain.image.errors import (
    ReplicaStuckError,
    VersionDamagedError,
    WorkCancelledError,
)
from corral.farm.domain.image.image import image_name
from corral.farm.domain.image.overlay import OverlayPhase, Promotion
from corral.farm.domain.image.release import release_time
from corral.farm.domain.image.replica import ReplicaState
from corral.farm.domain.image.version import Access, VersionName
from corral.farm.domain.task.errors import (
    SealingFailedError,
    StoreFoundDamagedError,
    TaskArgumentsInvalidError,
    TaskKindUnknownError,
)
from corral.farm.domain.task.task import TaskKind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from corral.farm.application.follow_work import CountMoves, FollowSealing
    from corral.farm.application.heal_store import HealingReport, HealStore
    from corral.farm.application.import_image import ImportImage, ImportOutcome
    from corral.farm.application.list_images import ReplicaView, ShowVersion
    from corral.farm.application.ports.records import Records
    from corral.farm.application.progress import Progress
    from corral.farm.application.promote_maintenance import PromoteMaintenance
    from corral.farm.application.rebalance_servers import RebalanceServers
    from corral.farm.application.replicate_version import ReplicateVersion
    from corral.farm.application.verify_store import StoreReport, VerifyStore
    from corral.farm.application.verify_version import VerifyVersion, VersionVerification
    from corral.farm.domain.image.version import Version
    from corral.farm.domain.task.task import Argument, Task


class Verbs(Protocol):
    """The verbs that tasks run."""

    @property
    def import_image(self) -> ImportImage: ...  # noqa: D102 - each verb's own docstring says it
    @property
    def replicate_version(self) -> ReplicateVersion: ...  # noqa: D102
    @property
    def show_version(self) -> ShowVersion: ...  # noqa: D102
    @property
    def verify_version(self) -> VerifyVersion: ...  # noqa: D102
    @property
    def verify_store(self) -> VerifyStore: ...  # noqa: D102
    @property
    def heal_store(self) -> HealStore: ...  # noqa: D102
    @property
    def promote_maintenance(self) -> PromoteMaintenance: ...  # noqa: D102
    @property
    def follow_sealing(self) -> FollowSealing: ...  # noqa: D102
    @property
    def rebalance_servers(self) -> RebalanceServers: ...  # noqa: D102
    @property
    def count_moves(self) -> CountMoves: ...  # noqa: D102


class Surroundings(Protocol):
    """What whoever runs a task lends to its kind."""

    @property
    def progress(self) -> Progress:
        """Where to show how far it is, and to hear that it should stop."""
        ...

    def wait(self, seconds: float) -> None:
        """Let time pass, less if the task should stop."""
        ...

    def say(self, text: str) -> None:
        """Add a line to the task's log."""
        ...

    def made(self, records: Records, result: str) -> None:
        """Keep what the task made in the transaction that made it, so that it is made once.

        Raises ``TaskLostError``, and so undoes that transaction, if the task is another's by now.
        """
        ...


@dataclass(frozen=True)
class Subject:
    """What a task's arguments come to."""

    object: str
    server: ServerName | None = None
    """Whose store it needs to reach."""


@dataclass(frozen=True)
class KindRules:
    """Everything that is particular to a kind."""

    takes: tuple[str, ...]
    """The names of its arguments, those that it must have first."""
    must_have: int
    permission: Permission
    """What whoever asks for it through the API must be allowed."""
    read: Callable[[Arguments, Records], Subject]
    run: Callable[[Verbs, Task, Surroundings], str]
    """Do it, and say in a line what it came to."""
    cancel_leaves: str
    """What is left when it is cancelled half way."""


class Arguments:
    """The arguments of one task, read with the types that a kind wants."""

    def __init__(self, kind: TaskKind, given: Mapping[str, Argument], takes: Sequence[str]) -> None:
        self._kind = kind
        self._given = given
        self._takes = takes

    def text(self, name: str, default: str = "") -> str:
        """Give a text."""
        value = self._given.get(name, default)
        if not isinstance(value, str):
            raise self._wrong(name, "a text")
        return value

    def flag(self, name: str) -> bool:
        """Give a yes or no."""
        value = self._given.get(name, False)
        if not isinstance(value, bool):
            raise self._wrong(name, "true or false")
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        """Give several texts; one alone may stand for itself."""
        value = self._given.get(name, ())
        if isinstance(value, str):
            return (value,)
        if not isinstance(value, tuple):
            raise self._wrong(name, "a list of texts")
        return value

    def file(self, name: str) -> Path:
        """Give an absolute path: a worker stands in no folder that anybody knows."""
        path = Path(self.text(name))
        if not path.is_absolute():
            raise self._wrong(name, "an absolute path")
        return path

    def disk_format(self, name: str) -> DiskFormat | None:
        """Give a disk format, if one is named."""
        text = self.text(name)
        try:
            return DiskFormat(text) if text else None
        except ValueError:
            raise self._wrong(name, f"one of {', '.join(DiskFormat)}") from None

    def access(self, name: str) -> Access:
        """Give for whom something is; production if it is not said."""
        try:
            return Access(self.text(name) or Access.PRODUCTION.value)
        except ValueError:
            raise self._wrong(name, f"one of {', '.join(Access)}") from None

    def moment(self, name: str) -> datetime | None:
        """Give a moment with its zone, if one is named; raises ``ReleaseTimeInvalidError``."""
        text = self.text(name)
        return release_time(text) if text else None

    def server(self, name: str = "server") -> ServerName | None:
        """Give a server, if one is named."""
        text = self.text(name)
        return server_name(text) if text else None

    def _wrong(self, name: str, wanted: str) -> TaskArgumentsInvalidError:
        return TaskArgumentsInvalidError(self._kind, f"{name!r} must be {wanted}", self._takes)


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


def _read_import(arguments: Arguments, records: Records) -> Subject:
    arguments.file("path")
    arguments.disk_format("format")
    arguments.flag("new")
    arguments.flag("even_if_unchanged")
    arguments.text("description")
    arguments.access("to")
    arguments.moment("at")
    wanted = arguments.server()
    if wanted is not None:
        server = records.servers.get(wanted)
    else:
        servers = records.servers.all()
        if not servers:
            raise NoServerError
        server = min(servers, key=lambda one: (one.added_at, one.name))
    return Subject(image_name(arguments.text("image")), server.name)


def _run_import(verbs: Verbs, task: Task, around: Surroundings) -> str:
    arguments = arguments_of(task.request.kind, task.request.arguments)

    def note(records: Records, version: Version) -> None:
        around.made(records, f"published {version.name}")

    outcome = verbs.import_image(
        ImportRequest(
            image=image_name(arguments.text("image")),
            path=arguments.file("path"),
            format=arguments.disk_format("format"),
            server=task.request.server,
            description=arguments.text("description"),
            must_be_new=arguments.flag("new"),
            even_if_unchanged=arguments.flag("even_if_unchanged"),
            to=arguments.access("to"),
            release_at=arguments.moment("at"),
            also=note,
        ),
        around.progress,
    )
    return tell_import(outcome)


def tell_import(outcome: ImportOutcome) -> str:
    """Say what an import came to."""
    done = "published" if outcome.is_published else "unchanged, nothing was published: it is"
    return f"{done} {outcome.version.name}"


def _read_replicate(arguments: Arguments, records: Records) -> Subject:
    name = VersionName.parse(arguments.text("version"))
    records.versions.get(name)
    for server in arguments.texts("to"):
        records.servers.get(server_name(server))
    return Subject(str(name))


class _Fetched:
    """What servers have of a version, as they last said."""

    def __init__(self) -> None:
        self.replicas: Sequence[ReplicaView] = ()

    def amounts(self) -> Amounts:
        return Amounts(
            total_bytes=sum(one.replica.total_bytes for one in self.replicas),
            done_bytes=sum(one.replica.done_bytes for one in self.replicas),
            new_bytes=sum(one.replica.fetched_bytes for one in self.replicas),
        )

    def cancel(self) -> None:
        """Nothing works here: whoever watches looks at the progress."""


def _run_replicate(verbs: Verbs, task: Task, around: Surroundings) -> str:
    """Say what should be, and watch the servers until it is."""
    arguments = arguments_of(task.request.kind, task.request.arguments)
    name = VersionName.parse(arguments.text("version"))
    servers = [server_name(one) for one in arguments.texts("to")]
    verbs.replicate_version(name, servers)
    fetched = _Fetched()
    around.progress.watch(fetched)
    while True:
        _stop_if_asked(around, f"watching the replication of {name}")
        replicas = verbs.show_version(name).replicas
        fetched.replicas = [one for one in replicas if one.server.name in servers]
        for one in fetched.replicas:
            if one.replica.state is ReplicaState.STUCK:
                raise ReplicaStuckError(str(name), one.server.name, one.replica.problem)
        if all(one.replica.is_complete for one in fetched.replicas):
            return f"{', '.join(servers)} hold {name}"
        around.wait(1)


def _read_verify(arguments: Arguments, records: Records) -> Subject:
    server, text = arguments.server(), arguments.text("version")
    if text:
        version = published_version(records, VersionName.parse(text))
        return Subject(text, server_to_check(records, version, server).name)
    if server is None:
        reason = "it needs a server, a version, or both"
        raise TaskArgumentsInvalidError(TaskKind.VERIFY, reason, KINDS[TaskKind.VERIFY].takes)
    return Subject(server, records.servers.get(server).name)


def _run_verify(verbs: Verbs, task: Task, around: Surroundings) -> str:
    arguments = arguments_of(task.request.kind, task.request.arguments)
    version, server = arguments.text("version"), task.request.server
    if version:
        name = VersionName.parse(version)
        return tell_version(verbs.verify_version(name, server, around.progress))
    if server is None:
        raise NoServerError
    return tell_store(verbs.verify_store(server, around.progress))


def tell_version(found: VersionVerification) -> str:
    """Say what verifying a version came to; raises ``VersionDamagedError``."""
    if not found.is_sound:
        raise VersionDamagedError(str(found.version.name), found.server.name)
    return f"{found.version.name} is sound on {found.server.name}"


def tell_store(report: StoreReport) -> str:
    """Say what verifying a store came to; raises ``StoreFoundDamagedError``."""
    found = report.found
    if not found.is_sound:
        name = report.server.name
        raise StoreFoundDamagedError(name, found.damaged_chunks, found.checked_chunks)
    return f"{found.checked_chunks} chunks of {report.server.name} are sound"


def _read_heal(arguments: Arguments, records: Records) -> Subject:
    server = records.servers.get(server_name(arguments.text("server")))
    return Subject(server.name, server.name)


def _run_heal(verbs: Verbs, task: Task, around: Surroundings) -> str:
    arguments = arguments_of(task.request.kind, task.request.arguments)
    server = server_name(arguments.text("server"))
    return tell_healing(verbs.heal_store(server, around.progress))


def tell_healing(report: HealingReport) -> str:
    """Say what healing a store came to; raises ``StoreFoundDamagedError``."""
    healing, name = report.healing, report.server.name
    if not healing.is_sound:
        left = healing.damaged_chunks - healing.healed_chunks
        raise StoreFoundDamagedError(name, left, healing.damaged_chunks)
    return f"healed {healing.healed_chunks} chunks of {name}"


def _read_seal(arguments: Arguments, records: Records) -> Subject:
    name = image_name(arguments.text("image"))
    records.images.get(name)
    _access_wanted(arguments)
    arguments.text("description")
    return Subject(name)


def _access_wanted(arguments: Arguments) -> Access:
    text = arguments.text("access", Access.TEST)
    try:
        return Access(text)
    except ValueError:
        reason = f"'access' must be one of {', '.join(Access)}"
        takes = KINDS[TaskKind.SEAL].takes
        raise TaskArgumentsInvalidError(TaskKind.SEAL, reason, takes) from None


def _run_seal(verbs: Verbs, task: Task, around: Surroundings) -> str:
    """Have the server seal, and watch it; an earlier run may have asked for it already."""
    arguments = arguments_of(task.request.kind, task.request.arguments)
    name = image_name(arguments.text("image"))
    seen = verbs.follow_sealing(name)
    is_done = seen.newest is not None and seen.newest.published_at > task.created_at
    if seen.phase is not OverlayPhase.SEALING and not is_done:
        promotion = Promotion(_access_wanted(arguments), None, arguments.text("description"))
        verbs.promote_maintenance(name, promotion)
    while True:
        _stop_if_asked(around, f"watching the sealing of {name}")
        seen = verbs.follow_sealing(name)
        if seen.newest is not None and seen.newest.published_at > task.created_at:
            return f"published {seen.newest.name}"
        if seen.phase is not OverlayPhase.SEALING:
            raise SealingFailedError(name, seen.problem)
        around.wait(1)


def _read_rebalance(arguments: Arguments, records: Records) -> Subject:
    server, site = arguments.server(), arguments.text("site")
    if server is not None and not site:
        return Subject(records.servers.get(server).name)
    if site and server is None:
        return Subject(records.sites.get(site_name(site)).name)
    reason = "it needs a server or a site"
    takes = KINDS[TaskKind.REBALANCE].takes
    raise TaskArgumentsInvalidError(TaskKind.REBALANCE, reason, takes)


def _run_rebalance(verbs: Verbs, task: Task, around: Surroundings) -> str:
    """Order a round, and watch until all have gone; who was asked lately is not asked again."""
    arguments = arguments_of(task.request.kind, task.request.arguments)
    server = arguments.server()
    if server is not None:
        ordered = verbs.rebalance_servers.of_server(server)
    else:
        ordered = verbs.rebalance_servers.of_site(site_name(arguments.text("site")))
    for move in ordered.moves:
        around.say(f"{move.device} is asked to go from {move.origin} to {move.target}")
    while verbs.count_moves():
        _stop_if_asked(around, "watching the moves")
        around.wait(1)
    return f"{len(ordered.moves)} devices were asked to move, and no move is open"


def _stop_if_asked(around: Surroundings, what: str) -> None:
    if around.progress.is_cancelled:
        raise WorkCancelledError(what)


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
            ),
            must_have=2,
            permission=Permission.IMAGE_IMPORT,
            read=_read_import,
            run=_run_import,
            cancel_leaves="no version was published; chunks that got in are used again by the next"
            " import, or collected",
        ),
        TaskKind.REPLICATE: KindRules(
            takes=("version", "to"),
            must_have=2,
            permission=Permission.REPLICA_CHANGE,
            read=_read_replicate,
            run=_run_replicate,
            cancel_leaves="only the watching ends: the servers should still hold the version, and"
            " fetch it by themselves",
        ),
        TaskKind.VERIFY: KindRules(
            takes=("server", "version"),
            must_have=0,
            permission=Permission.STORE_VERIFY,
            read=_read_verify,
            run=_run_verify,
            cancel_leaves="what was read is forgotten, and nothing was changed",
        ),
        TaskKind.HEAL: KindRules(
            takes=("server",),
            must_have=1,
            permission=Permission.STORE_VERIFY,
            read=_read_heal,
            run=_run_heal,
            cancel_leaves="chunks that were healed stay so; the others are as they were",
        ),
        TaskKind.SEAL: KindRules(
            takes=("image", "access", "description"),
            must_have=1,
            permission=Permission.VERSION_MAINTAIN,
            read=_read_seal,
            run=_run_seal,
            cancel_leaves="only the watching ends: the server goes on sealing, and publishes",
        ),
        TaskKind.REBALANCE: KindRules(
            takes=("server", "site"),
            must_have=0,
            permission=Permission.SERVER_BALANCE,
            read=_read_rebalance,
            run=_run_rebalance,
            cancel_leaves="only the watching ends: devices that were asked to move still go",
        ),
    }
)


def without_defaults(arguments: Mapping[str, Argument]) -> Mapping[str, Argument]:
    """Leave out what says nothing, so that a task shows what was asked for."""
    return MappingProxyType({name: value for name, value in arguments.items() if value})
