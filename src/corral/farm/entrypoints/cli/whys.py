"""Why what a computer runs is not what is assigned, for people."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from corral.farm.application.list_machines import running_text
from corral.farm.domain.computer.check_in import MachineState
from corral.farm.domain.computer.why import Difference, Why
from corral.farm.entrypoints.cli.output import human_size, human_time

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from corral.farm.application.list_machines import ImageUserView, MachineView

SAID: Final[Mapping[Why, str]] = MappingProxyType(
    {
        Why.NO_VERSION: "no version may be started yet",
        Why.NO_COMPUTER: "uses no computer",
        Why.BLOCKED: "blocked",
        Why.NOT_CHECKED_IN: "has not checked in since",
        Why.READY_TO_DOWNLOAD: "ready to download",
        Why.DOWNLOADING: "downloading",
        Why.PAUSED: "paused",
        Why.PREPARING: "preparing",
        Why.WAITING_FOR_VM_RESTART: "waits for the VM's restart",
        Why.WAITING_FOR_COMPUTER_RESTART: "waits for the computer's restart",
        Why.FAILED: "failed",
        Why.WENT_BACK: "went back",
    }
)
_MOVING: Final = frozenset({Why.DOWNLOADING, Why.PAUSED})
_ARRIVING: Final = frozenset({MachineState.DOWNLOADING, MachineState.PAUSED})


def why(of: Difference | None) -> str:
    """Give a reason in one line, with how far it is, and what was last heard when."""
    if of is None:
        return ""
    parts = [SAID[of.why]]
    if of.why in _MOVING and of.percent is not None:
        parts[0] += f" {of.percent} %"
        if of.rate:
            parts[0] += f" at {human_size(of.rate)}/s"
    if of.until is not None:
        parts[0] += f", expected {human_time(of.until)}"
    if of.code or of.text:
        parts.append(f"{of.code}: {of.text}" if of.code and of.text else of.code or of.text)
    if of.why is not Why.NO_COMPUTER and of.why is not Why.NO_VERSION:
        heard = "never heard of" if of.since is None else f"heard {human_time(of.since)}"
        parts.append(heard)
    return "; ".join(parts)


def of_machine(view: MachineView) -> str:
    """Give the reason; and of one that runs what is assigned, what it still depends on."""
    seen = view.seen
    if view.difference is not None or seen is None or not seen.is_running:
        return why(view.difference)
    if seen.wanted is None or seen.wanted != view.running_root:
        return ""
    if seen.state in _ARRIVING:
        has_size = seen.total_bytes > 0
        share = f", {100 * seen.done_bytes // seen.total_bytes} % are there" if has_size else ""
        return f"runs while it arrives{share}"
    return "runs, and is being proven" if seen.state is MachineState.PROVING else ""


def image_user_row(view: ImageUserView) -> tuple[str, ...]:
    """Give the columns Assign, Staged, Name, Full Name, Running and Assigned Version, and Why."""
    granted = view.granted
    by_groups = "" if granted is None else ", ".join(group.name for group, _ in granted.by_groups)
    assign = "" if granted is None else "yes"
    if granted is not None and granted.own is None:
        assign = f"yes, by {by_groups}"
    return (
        assign,
        "yes" if granted is not None and granted.is_staged else "",
        view.user.name,
        view.user.full_name,
        ", ".join(view.running),
        ", ".join(view.assigned),
        _whys(view.machines),
    )


def machine_row(view: MachineView) -> tuple[str, ...]:
    """Give what a user has of an image on a computer."""
    return (
        view.image.name,
        view.user.name,
        "-" if view.computer is None else view.computer.name,
        "yes" if view.granted is not None and view.granted.is_staged else "",
        running_text(view) or "",
        "" if view.assigned is None else str(view.assigned.number),
        of_machine(view) if view.granted is not None else "taken away; not heard of since",
    )


def _whys(machines: Iterable[MachineView]) -> str:
    said = [(one, of_machine(one)) for one in machines]
    if len(said) == 1:
        return said[0][1]
    return " | ".join(
        f"{'-' if one.computer is None else one.computer.name}: {words}"
        for one, words in said
        if words
    )
