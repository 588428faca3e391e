"""Wait for what was written to become a version, and for versions to be released."""

from __future__ import annotations

from threading import Event
from typing import TYPE_CHECKING, Final, TypeVar

from corral.farm.application.image_tasks import SealedByServer
from corral.farm.application.progress import Amounts
from corral.farm.domain.image.errors import (
    StoreNotAStoreError,
    StoreOtherFarmError,
    StoreUnreachableError,
    WorkCancelledError,
)
from corral.farm.domain.image.overlay_errors import (
    OverlayFailedError,
    OverlayHeldError,
    OverlayUnknownError,
)
from corral.farm.domain.image.standing import Standing
from corral.farm.entrypoints.cli.recorded import run_recorded
from corral.farm.entrypoints.cli.work import display_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from corral.farm.application.progress import Progress
    from corral.farm.application.verbs import Application
    from corral.farm.application.writers import OverlayView
    from corral.farm.domain.image.version import Version, VersionName
    from corral.farm.domain.task.task import Argument

Outcome = TypeVar("Outcome")

_LOOK_SECONDS: Final = 0.25


def seal_here(
    application: Application, sealing: OverlayView, *, is_quiet: bool
) -> VersionName | None:
    """Give the version if this command can make it, because the disk's server does not run.

    None if the server is to make it: it runs, or its store is none that this machine reaches.
    """
    verb, overlay = application.seal_maintenance, sealing.overlay.id
    try:
        if verb.is_up_to_server(overlay):
            return None
        version = _recorded(
            application,
            sealing,
            lambda progress: verb(overlay, progress),
            lambda made: f"{sealing.server.name} seals it" if made is None else _published(made),
            is_quiet=is_quiet,
        )
    except (
        OverlayHeldError,
        OverlayUnknownError,
        StoreNotAStoreError,
        StoreOtherFarmError,
        StoreUnreachableError,
    ):
        return None
    return None if version is None else version.name


def wait_for_sealing(
    application: Application, sealing: OverlayView, *, is_quiet: bool
) -> VersionName:
    """Give the version once the farm has it; raises ``OverlayFailedError``."""
    pause, name = Event(), sealing.image.name

    def watch(progress: Progress) -> Version:
        sealed = SealedByServer(lambda _: None)
        progress.watch(sealed)
        while True:
            if progress.is_cancelled:
                what = f"the sealing of {name}"
                raise WorkCancelledError.of_watching(what)
            view = application.show_image(name)
            left = [one for one in view.overlays if one.overlay.id == sealing.overlay.id]
            if not left:
                sealed.be_through()
                return max((one.version for one in view.versions), key=lambda one: one.name)
            seen = left[0].overlay.seen
            if seen is not None and seen.condition == "failed":
                raise OverlayFailedError(sealing.device.name, sealing.server.name, seen.problem)
            sealed.look(application.follow_sealing(name))
            pause.wait(_LOOK_SECONDS)

    return _recorded(application, sealing, watch, _published, is_quiet=is_quiet).name


def _published(version: Version) -> str:
    return f"published {version.name}"


def _recorded(
    application: Application,
    sealing: OverlayView,
    verb: Callable[[Progress], Outcome],
    says: Callable[[Outcome], str],
    *,
    is_quiet: bool,
) -> Outcome:
    """Do it as a task of this terminal, which everybody sees."""
    arguments: dict[str, Argument] = {"image": sealing.image.name}
    promotion = sealing.overlay.promotion
    if promotion is not None:
        arguments["access"] = promotion.access.value
        arguments["description"] = promotion.description
    return run_recorded(
        application,
        "seal",
        arguments,
        verb,
        title=f"seal {sealing.export}",
        says=says,
        is_quiet=is_quiet,
    )


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
