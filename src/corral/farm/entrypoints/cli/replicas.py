"""Wait for servers to fetch what they should hold."""

from __future__ import annotations

from threading import Event
from typing import TYPE_CHECKING, Final

from corral.farm.application.progress import Amounts
from corral.farm.domain.image.errors import ReplicaStuckError
from corral.farm.domain.image.replica import ReplicaState
from corral.farm.entrypoints.cli.work import display_for

if TYPE_CHECKING:
    from collections.abc import Sequence

    from corral.farm.application.list_images import ReplicaView
    from corral.farm.bootstrap import Application
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
    """Return once all of them hold the version.

    The servers report about once a second, each by itself; there is nobody here to be woken by.
    Raises ``ReplicaStuckError`` if one says that it cannot go on.
    """
    wanted = frozenset(servers)
    pause = Event()
    with display_for(f"replicate {name}", is_quiet=is_quiet) as display:
        while True:
            view = application.show_version(name)
            replicas = [one for one in view.replicas if one.server.name in wanted]
            display.show(_amounts(replicas))
            for one in replicas:
                if one.replica.state is ReplicaState.STUCK:
                    raise ReplicaStuckError(str(name), one.server.name, one.replica.problem)
            if all(one.replica.is_complete for one in replicas):
                return
            pause.wait(_LOOK_SECONDS)


def _amounts(replicas: Sequence[ReplicaView]) -> Amounts:
    return Amounts(
        total_bytes=sum(one.replica.total_bytes for one in replicas),
        done_bytes=sum(one.replica.done_bytes for one in replicas),
    )
