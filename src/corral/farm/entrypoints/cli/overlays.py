"""What devices write, in a line for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corral.farm.domain.image.overlay import OverlayPhase
from corral.farm.entrypoints.cli.output import human_size

if TYPE_CHECKING:
    from corral.farm.application.list_devices import DeviceView
    from corral.farm.application.writers import OverlayView


def overlay_line(view: OverlayView) -> str:
    """Say what it is for, where it is, how full, and whether anybody writes."""
    overlay, seen = view.overlay, view.overlay.seen
    doing = "sealing" if overlay.phase is OverlayPhase.SEALING else overlay.kind.value
    if seen is None:
        return f"{view.export} on {view.server.name} ({doing}), not made yet"
    on = ", in use" if seen.clients else ""
    problem = f", {view.problem}" if view.problem else ""
    amounts = f"{human_size(seen.allocated_bytes)} of {human_size(overlay.limit_bytes)}"
    return f"{view.export} on {view.server.name} ({doing}), {amounts}{on}{problem}"


def written_where(view: DeviceView) -> str:
    """Say where a device is to write, and where it says that it does."""
    limit = view.cache.limit_bytes
    limited = "" if limit is None else f" of {human_size(limit)}"
    own = ", its own setting" if view.has_own_cache else ""
    used = view.used
    uses = (
        "" if used is None or used.used_bytes is None else f", {human_size(used.used_bytes)} used"
    )
    return f"{view.cache.kind}{limited}{own}{uses}"
