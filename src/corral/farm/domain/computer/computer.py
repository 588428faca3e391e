"""A computer: a machine that runs the engine and keeps images locally."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final, NewType
from uuid import UUID

from corral.farm.domain.computer.errors import (
    ComputerKeyInvalidError,
    ComputerKillPendingError,
    ComputerToldError,
    ComputerTransitionError,
)
from corral.farm.domain.computer.state import (
    TRANSITIONS,
    ComputerEvent,
    ComputerState,
    allowed_events,
)
from corral.farm.domain.estate.collection import FIRST_COLLECTION, CollectionId
from corral.farm.domain.estate.replication import UNLIMITED, Bandwidth
from corral.farm.domain.naming import checked_name

if TYPE_CHECKING:
    from datetime import datetime

    from corral.farm.domain.computer.user import UserId
    from corral.farm.domain.image.image import ImageId

ComputerId = NewType("ComputerId", UUID)
ComputerName = NewType("ComputerName", str)

WAITING_AT_MOST: Final = 256
"""Anybody may ask to be registered; so many can wait for an answer."""
CHECK_IN_EVERY: Final = timedelta(minutes=5)
"""How long an engine waits between check-ins, unless a signal comes."""

_KEY_BYTES: Final = 32


def computer_name(text: str) -> ComputerName:
    """Check a name for a computer."""
    return ComputerName(checked_name("computer", text))


def public_key(value: bytes) -> bytes:
    """Check the length of a computer's public key."""
    if len(value) != _KEY_BYTES:
        raise ComputerKeyInvalidError(len(value))
    return value


@dataclass(frozen=True, order=True)
class MachineKey:
    """One virtual machine of a computer: an image, for one of its users."""

    image_id: ImageId
    user_id: UserId


@dataclass(frozen=True, order=True)
class Attempt:
    """How often somebody said to try a machine again."""

    machine: MachineKey
    number: int


@dataclass(frozen=True)
class Computer:
    """A machine that runs the engine."""

    id: ComputerId
    name: ComputerName
    public_key: bytes
    """Ed25519. The private one was made on the computer and stays there."""
    state: ComputerState
    asked_at: datetime
    """When it first asked to be registered."""
    asked_for: str = ""
    """Whom it named as its user, which nobody need believe."""
    collection_id: CollectionId = FIRST_COLLECTION.id
    users: frozenset[UserId] = frozenset()
    description: str = ""
    is_paused: bool = False
    """It fetches nothing for now."""
    bandwidth: Bandwidth = UNLIMITED
    """What fetching may take of its line, by its own clock."""
    attempts: tuple[Attempt, ...] = ()
    """Of the machines that somebody said to try again."""
    registered_at: datetime | None = None
    kill_told_at: datetime | None = None
    """When its orders to erase itself were first handed out."""
    killed_at: datetime | None = None
    """When it said that it has."""
    revision: int = 1

    @property
    def is_heard(self) -> bool:
        """Whether the farm listens to it."""
        return self.state not in {ComputerState.KILLED, ComputerState.RECYCLED}

    @property
    def erases(self) -> bool:
        """Whether its orders are to erase itself."""
        return self.state is ComputerState.KILL_PENDING

    def next_state(self, event: ComputerEvent) -> ComputerState | None:
        """Give the state after ``event``, or none if the farm forgets it then.

        Raises ``ComputerTransitionError`` if the table has no such arrow, ``ComputerToldError``,
        ``ComputerKillPendingError``.
        """
        if (self.state, event) not in TRANSITIONS:
            raise ComputerTransitionError(self.name, self.state, event, allowed_events(self.state))
        is_told = self.kill_told_at is not None
        if event is ComputerEvent.UNDO_KILL and is_told:
            raise ComputerToldError(self.name)
        if event is ComputerEvent.DELETE and self.erases and not is_told:
            raise ComputerKillPendingError(self.name)
        return TRANSITIONS[self.state, event]

    def after(self, event: ComputerEvent, now: datetime) -> Computer:
        """Give the computer as it is after ``event``; one that is forgotten then stays as it is."""
        state = self.next_state(event)
        if state is None:
            return self
        moved = replace(self, state=state)
        match event:
            case ComputerEvent.APPROVE:
                return replace(moved, registered_at=now)
            case ComputerEvent.ERASED:
                return replace(moved, killed_at=now)
            case _:
                return moved

    def told(self, now: datetime) -> Computer:
        """Give the computer as it is once its orders to erase itself were handed out."""
        return self if self.kill_told_at is not None else replace(self, kill_told_at=now)

    def attempt(self, machine: MachineKey) -> int:
        """Give the number under which it tries a machine."""
        return next((one.number for one in self.attempts if one.machine == machine), 0)

    def trying_again(self, machine: MachineKey) -> Computer:
        """Give the computer with one machine to be tried again."""
        others = (one for one in self.attempts if one.machine != machine)
        raised = Attempt(machine, self.attempt(machine) + 1)
        return replace(self, attempts=tuple(sorted([*others, raised])))
