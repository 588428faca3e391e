"""Wait for what was written to become a version, and for versions to be released."""

from __future__ import annotations

from threading import Event
from typing import TYPE_CHECKING, Final

from corral.farm.application.progress import Amounts
from corral.farm.domain.image.overlay_errors import OverlayFailedError
from corral.farm.domain.image.standing import Standing
from corral.farm.entrypoints.cli.work import display_for

if TYPE_CHECKING:
    from corral.farm.application.writers import OverlayView
    from corral.farm.bootstrap import Application
    from corral.farm.domain.image.version import VersionName

_LOOK_SECONDS: Final = 0.25


def wait_for_sealing(
    application: Application, sealing: OverlayView, *, is_quiet: bool
) -> VersionName:
    """Give the version once the farm has it; raises ``OverlayFailedError``."""
    pause, name = Event(), sealing.image.name
    with display_for(f"seal {sealing.export}", is_quiet=is_quiet):
        while True:
            view = application.show_image(name)
            left = [one for one in view.overlays if one.overlay.id == sealing.overlay.id]
            if not left:
                return max(one.version.name for one in view.versions)
            seen = left[0].overlay.seen
            if seen is not None and seen.condition == "failed":
                raise OverlayFailedError(sealing.device.name, sealing.server.name, seen.problem)
            pause.wait(_LOOK_SECONDS)


def wait_for_release(application: Application, name: VersionName, *, is_quiet: bool) -> None:
    """Return once nothing is waited for any more."""
    pause = Event()
    with display_for(f"release {name}", is_quiet=is_quiet) as display:
        while True:
            view = application.show_version(name)
            if view.version.standing is not Standing.PENDING:
                return
            replicas = [one.replica for one in view.replicas]
            display.show(
                Amounts(
                    total_bytes=sum(replica.total_bytes for replica in replicas),
                    done_bytes=sum(replica.done_bytes for replica in replicas),
                )
            )
            pause.wait(_LOOK_SECONDS)
