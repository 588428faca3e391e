"""Computers in memory."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from corral.farm.domain.computer.check_in import EVENTS_KEPT
from corral.farm.domain.computer.errors import (
    ComputerChangedError,
    ComputerKeyTakenError,
    ComputerNameTakenError,
    ComputerUnknownError,
    RegistrationCodeUnknownError,
)
from corral.farm.domain.computer.state import ComputerState

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from corral.farm.adapters.memory.state import State
    from corral.farm.domain.access.token import TokenDigest
    from corral.farm.domain.computer.check_in import CheckIn, ComputerNews, GivenOrders
    from corral.farm.domain.computer.code import RegistrationCode, RegistrationCodeId
    from corral.farm.domain.computer.computer import Computer, ComputerId, ComputerName
    from corral.farm.domain.computer.user import UserId
    from corral.farm.domain.estate.collection import CollectionId


class MemoryComputers:
    """Computers by id."""

    def __init__(self, state: State) -> None:
        self._state = state

    def add(self, computer: Computer) -> None:
        """Add one."""
        self._refuse_taken(computer)
        owner = self.with_key(computer.public_key)
        if owner is not None:
            raise ComputerKeyTakenError(owner.name)
        self._state.computers[computer.id] = computer

    def get(self, name: ComputerName) -> Computer:
        """Give the one of that name."""
        computer = self.find(name)
        if computer is None:
            raise ComputerUnknownError(name)
        return computer

    def find(self, name: ComputerName) -> Computer | None:
        """Give the one of that name, if there is one."""
        return next((one for one in self._state.computers.values() if one.name == name), None)

    def with_id(self, computer_id: ComputerId) -> Computer:
        """Give the one with that id."""
        try:
            return self._state.computers[computer_id]
        except KeyError:
            raise ComputerUnknownError(str(computer_id)) from None

    def with_key(self, public_key: bytes) -> Computer | None:
        """Give the one that has that key, if there is one."""
        found = self._state.computers.values()
        return next((one for one in found if one.public_key == public_key), None)

    def in_collection(self, collection_id: CollectionId) -> Sequence[Computer]:
        """Give those of a collection."""
        return [one for one in self.all() if one.collection_id == collection_id]

    def of_user(self, user_id: UserId) -> Sequence[Computer]:
        """Give those of a user."""
        return [one for one in self.all() if user_id in one.users]

    def count_waiting(self) -> int:
        """Give how many wait for approval."""
        return sum(one.state is ComputerState.WAITING for one in self._state.computers.values())

    def all(self) -> Sequence[Computer]:
        """Give all of them."""
        return sorted(self._state.computers.values(), key=lambda computer: computer.name)

    def change(self, seen: Computer, after: Computer) -> Computer:
        """Change it if its revision is still the one that was seen."""
        if self.with_id(seen.id).revision != seen.revision:
            raise ComputerChangedError(seen.name)
        changed = replace(after, id=seen.id, public_key=seen.public_key, revision=seen.revision + 1)
        self._refuse_taken(changed)
        self._state.computers[seen.id] = changed
        return changed

    def remove(self, computer_id: ComputerId) -> None:
        """Forget it, and all that belongs to it."""
        self._state.computers.pop(computer_id, None)
        self._state.check_ins.pop(computer_id, None)
        self._state.computer_events.pop(computer_id, None)
        self._state.computer_orders.pop(computer_id, None)
        self._state.kit_assignments.pop(computer_id, None)

    def _refuse_taken(self, computer: Computer) -> None:
        owner = self.find(computer.name)
        if owner is not None and owner.id != computer.id:
            raise ComputerNameTakenError(computer.name)


class MemoryRegistrationCodes:
    """Codes by id."""

    def __init__(self, state: State) -> None:
        self._state = state

    def add(self, code: RegistrationCode) -> None:
        """Add one."""
        self._state.registration_codes[code.id] = code

    def with_id(self, code_id: RegistrationCodeId) -> RegistrationCode:
        """Give the one with that id."""
        try:
            return self._state.registration_codes[code_id]
        except KeyError:
            raise RegistrationCodeUnknownError(str(code_id)) from None

    def with_digest(self, digest: TokenDigest) -> RegistrationCode | None:
        """Give the one of that digest."""
        codes = self._state.registration_codes.values()
        return next((one for one in codes if one.digest == digest), None)

    def all(self) -> Sequence[RegistrationCode]:
        """Give all of them."""
        codes = self._state.registration_codes.values()
        return sorted(codes, key=lambda code: (code.created_at, code.id.hex))

    def set_uses_left(self, code_id: RegistrationCodeId, uses: int) -> None:
        """Overwrite the number."""
        self._state.registration_codes[code_id] = replace(self.with_id(code_id), uses_left=uses)

    def remove(self, code_id: RegistrationCodeId) -> None:
        """Forget it."""
        self._state.registration_codes.pop(code_id, None)

    def forget_expired(self, before: datetime) -> None:
        """Forget those that were over before a moment."""
        codes = self._state.registration_codes
        self._state.registration_codes = {
            key: code for key, code in codes.items() if code.expires_at >= before
        }


class MemoryCheckIns:
    """What was last said, by computer."""

    def __init__(self, state: State) -> None:
        self._state = state

    def put(self, check_in: CheckIn) -> None:
        """Overwrite it."""
        self._state.check_ins[check_in.computer_id] = check_in

    def find(self, computer_id: ComputerId) -> CheckIn | None:
        """Give what a computer last said."""
        return self._state.check_ins.get(computer_id)

    def all(self) -> Sequence[CheckIn]:
        """Give what each last said."""
        return sorted(self._state.check_ins.values(), key=lambda one: one.computer_id.hex)


class MemoryComputerEvents:
    """What happened, by computer, the newest first."""

    def __init__(self, state: State) -> None:
        self._state = state

    def note(self, computer_id: ComputerId, news: Sequence[ComputerNews]) -> None:
        """Keep what is new of it."""
        known = self._state.computer_events.get(computer_id, ())
        numbers = {one.number for one in known}
        merged = {one.number: one for one in news if one.number not in numbers}
        newest = sorted([*known, *merged.values()], key=lambda one: one.number, reverse=True)
        self._state.computer_events[computer_id] = tuple(newest[:EVENTS_KEPT])

    def of_computer(self, computer_id: ComputerId) -> Sequence[ComputerNews]:
        """Give those of a computer."""
        return self._state.computer_events.get(computer_id, ())


class MemoryComputerOrders:
    """What was last told, by computer."""

    def __init__(self, state: State) -> None:
        self._state = state

    def put(self, given: GivenOrders) -> None:
        """Overwrite it."""
        self._state.computer_orders[given.computer_id] = given

    def find(self, computer_id: ComputerId) -> GivenOrders | None:
        """Give what a computer was last told."""
        return self._state.computer_orders.get(computer_id)

    def all(self) -> Sequence[GivenOrders]:
        """Give what each was last told."""
        return sorted(self._state.computer_orders.values(), key=lambda one: one.computer_id.hex)
