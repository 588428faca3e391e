"""Look for computers that somebody should look at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from corral.farm.application.list_machines import MachineViews
from corral.farm.domain.check.computers import SILENT, SeenComputers, SeenTrouble
from corral.farm.domain.computer.check_in import KitState
from corral.farm.domain.computer.state import ComputerState
from corral.farm.domain.computer.why import Why

if TYPE_CHECKING:
    from datetime import datetime

    from corral.farm.application.ports.records import Records

_TROUBLES: Final = frozenset({Why.BLOCKED, Why.FAILED, Why.WENT_BACK})
_KIT_TROUBLES: Final = frozenset({KitState.FAILED, KitState.WENT_BACK})


def look_at_computers(records: Records, now: datetime) -> SeenComputers:
    """Give them; costs in proportion to all computers there are."""
    computers = records.computers.all()
    if not computers:
        return SeenComputers()
    said = {one.computer_id: one for one in records.check_ins.all()}
    registered = [one for one in computers if one.state is ComputerState.REGISTERED]
    return SeenComputers(
        silent=tuple(
            sorted(
                one.name
                for one in registered
                if now - (said[one.id].at if one.id in said else one.asked_at) > SILENT
            )
        ),
        waiting=tuple(sorted(one.name for one in computers if one.state is ComputerState.WAITING)),
        engines=tuple(
            sorted(
                one.name
                for one in registered
                if one.id in said and said[one.id].kit.state in _KIT_TROUBLES
            )
        ),
        troubles=_troubles(records, now),
    )


def _troubles(records: Records, now: datetime) -> tuple[SeenTrouble, ...]:
    found: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for view in MachineViews(records, now)():
        if view.computer is None or view.difference is None:
            continue
        if view.computer.state is not ComputerState.REGISTERED:
            continue
        if view.difference.why in _TROUBLES:
            key = (view.image.name, view.difference.why.value)
            found.setdefault(key, []).append((view.computer.name, view.difference.text))
    return tuple(
        SeenTrouble(image, why, next((text for _, text in seen if text), ""), _each_once(seen))
        for (image, why), seen in sorted(found.items())
    )


def _each_once(seen: list[tuple[str, str]]) -> tuple[str, ...]:
    return tuple(sorted({name for name, _ in seen}))
