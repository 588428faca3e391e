"""What the kinds of tasks are made of: their arguments, and what is lent to whoever runs one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from corral.farm.application.ports.disk_files import DiskFormat
from corral.farm.domain.estate.server import ServerName, server_name
from corral.farm.domain.image.errors import (
    WorkCancelledError,
)
from corral.farm.domain.image.release import release_time
from corral.farm.domain.image.version import Access
from corral.farm.domain.task.errors import (
    TaskArgumentsInvalidError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from corral.farm.application.collect_store import CollectStore
    from corral.farm.application.create_backup import CreateBackup
    from corral.farm.application.follow_work import FollowMoves, FollowSealing
    from corral.farm.application.heal_store import HealStore
    from corral.farm.application.import_image import ImportImage
    from corral.farm.application.import_into_library import ImportIntoLibrary
    from corral.farm.application.list_images import ShowVersion
    from corral.farm.application.ports.records import Records
    from corral.farm.application.progress import Progress
    from corral.farm.application.promote_maintenance import PromoteMaintenance
    from corral.farm.application.rebalance_servers import RebalanceServers
    from corral.farm.application.replicate_version import ReplicateVersion
    from corral.farm.application.republish_image import RepublishImage
    from corral.farm.application.scrub_store import ScrubStore
    from corral.farm.application.verify_store import VerifyStore
    from corral.farm.application.verify_version import VerifyVersion
    from corral.farm.domain.access.permission import Permission
    from corral.farm.domain.task.task import Argument, Task, TaskKind


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
    def collect_store(self) -> CollectStore: ...  # noqa: D102
    @property
    def scrub_store(self) -> ScrubStore: ...  # noqa: D102
    @property
    def promote_maintenance(self) -> PromoteMaintenance: ...  # noqa: D102
    @property
    def follow_sealing(self) -> FollowSealing: ...  # noqa: D102
    @property
    def rebalance_servers(self) -> RebalanceServers: ...  # noqa: D102
    @property
    def follow_moves(self) -> FollowMoves: ...  # noqa: D102
    @property
    def create_backup(self) -> CreateBackup: ...  # noqa: D102
    @property
    def republish_image(self) -> RepublishImage: ...  # noqa: D102
    @property
    def import_into_library(self) -> ImportIntoLibrary: ...  # noqa: D102


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
    run: Callable[[Verbs, Work], str]
    """Do it, and say in a line what it came to."""
    cancel_leaves: str
    """What is left when it is cancelled half way."""
    goes_on: str = ""
    """What others do all the same while it is paused; empty where everything rests."""


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

    def refused(self, reason: str) -> TaskArgumentsInvalidError:
        """Give the error that says why they will not do."""
        return TaskArgumentsInvalidError(self._kind, reason, self._takes)

    def _wrong(self, name: str, wanted: str) -> TaskArgumentsInvalidError:
        return self.refused(f"{name!r} must be {wanted}")


@dataclass(frozen=True)
class Work:
    """One run of a task."""

    task: Task
    arguments: Arguments
    around: Surroundings


def stop_if_asked(around: Surroundings, what: str) -> None:
    """End what only watches; raises ``WorkCancelledError``."""
    if around.progress.is_cancelled:
        raise WorkCancelledError.of_watching(what)
