"""Wait for servers to fetch what they should hold."""

from __future__ import annotations

from threading import Event
from typing import TYPE_CHECKING, Final

from corral.farm.application.image_tasks import Fetched, tell_replication
from corral.farm.domain.image.errors import WorkCancelledError
from corral.farm.entrypoints.cli.recorded import run_recorded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from corral.farm.application.progress import Progress
    from corral.farm.application.verbs import Application
    from corral.farm.domain.estate.server import ServerName
    from corral.farm.domain.image.version import VersionName

_LOOK_SECONDS: Final = 0.25


def wait_for_replicas(
    application: Application,
    name: VersionName,
    servers: Sequence[ServerName],
    *,
    is_quiet: bool,
) -> None:
    """Return once all of them hold the version; meanwhile it is a task that everybody sees.

    The servers report about once a second, each by itself; there is nobody here to be woken by.
    Raises ``ReplicaStuckError`` if one cannot go on for a while.
    """
    wanted = frozenset(servers)
    pause = Event()

    def watch(progress: Progress) -> None:
        fetched = Fetched()
        progress.watch(fetched)
        while True:
            if progress.is_cancelled:
                what = f"the replication of {name}"
                raise WorkCancelledError.of_watching(what)
            view = application.show_version(name)
            asked = [one for one in view.replicas if one.server.name in wanted]
            fetched.see(name, asked, _LOOK_SECONDS)
            if all(one.replica.is_complete for one in fetched.replicas):
                return
            pause.wait(_LOOK_SECONDS)

    run_recorded(
        application,
        "replicate",
        {"version": str(name), "to": tuple(servers)},
        watch,
        title=f"replicate {name}",
        says=lambda _: tell_replication(name, servers),
        is_quiet=is_quiet,
    )
