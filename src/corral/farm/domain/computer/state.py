"""How a computer stands with its farm: one table of every move that there is.

The check of a move, the tests, and the diagram in ``docs/reference/computers.md`` come from it.
"""

from __future__ import annotations

from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping


class ComputerState(StrEnum):
    """Whether the farm listens to a computer, and what it is told."""

    WAITING = "waiting"
    """It asked to be registered, and nobody has approved it yet."""
    REGISTERED = "registered"
    """It is listened to, and told what it should run."""
    KILL_PENDING = "kill-pending"
    """It is to erase itself at its next check-in."""
    KILLED = "killed"
    """It said that it has erased itself; it is not listened to any more."""
    RECYCLED = "recycled"
    """It was killed, and may register anew."""


class ComputerEvent(StrEnum):
    """What can happen to a computer."""

    APPROVE = "approve"
    """An administrator says for whom it is."""
    REFUSE = "refuse"
    """It is forgotten, and may ask again."""
    KILL = "kill"
    """It is lost or stolen, and shall erase itself."""
    UNDO_KILL = "kill-undo"
    """Until it has been told."""
    ERASED = "erased"
    """It says so itself."""
    RECYCLE = "recycle"
    """It may register anew; what was on it is gone."""
    DELETE = "delete"
    """The farm forgets it; nothing happens on the computer."""


_S, _E = ComputerState, ComputerEvent

TRANSITIONS: Final[Mapping[tuple[ComputerState, ComputerEvent], ComputerState | None]] = (
    MappingProxyType(
        {
            (_S.WAITING, _E.APPROVE): _S.REGISTERED,
            (_S.WAITING, _E.REFUSE): None,
            (_S.WAITING, _E.DELETE): None,
            (_S.REGISTERED, _E.KILL): _S.KILL_PENDING,
            (_S.REGISTERED, _E.DELETE): None,
            (_S.KILL_PENDING, _E.UNDO_KILL): _S.REGISTERED,
            (_S.KILL_PENDING, _E.ERASED): _S.KILLED,
            # Of one that was told and is never heard of again.
            (_S.KILL_PENDING, _E.DELETE): None,
            (_S.KILLED, _E.RECYCLE): _S.RECYCLED,
            (_S.KILLED, _E.DELETE): None,
            (_S.RECYCLED, _E.DELETE): None,
        }
    )
)
"""None: the farm forgets it."""


def allowed_events(state: ComputerState) -> tuple[ComputerEvent, ...]:
    """Give what the table lets happen next."""
    return tuple(event for event in ComputerEvent if (state, event) in TRANSITIONS)
