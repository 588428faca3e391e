"""Rollouts, their machines, and given kits in memory."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from corral.farm.domain.library.errors import KitAssignmentChangedError
from corral.farm.domain.rollout.errors import (
    RolloutChangedError,
    RolloutNameTakenError,
    RolloutUnknownError,
)
from corral.farm.domain.rollout.gate import tally_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from corral.farm.adapters.memory.state import State
    from corral.farm.domain.computer.computer import ComputerId
    from corral.farm.domain.library.assignment import KitAssignment
    from corral.farm.domain.library.item import ItemId
    from corral.farm.domain.rollout.gate import Tally
    from corral.farm.domain.rollout.member import Member, MemberId
    from corral.farm.domain.rollout.rollout import Rollout, RolloutId, RolloutName


class MemoryRollouts:
    """Rollouts by id."""

    def __init__(self, state: State) -> None:
        self._state = state

    def add(self, rollout: Rollout) -> None:
        """Add one."""
        if any(one.name == rollout.name for one in self._state.rollouts.values()):
            raise RolloutNameTakenError(rollout.name)
        self._state.rollouts[rollout.id] = rollout

    def get(self, name: RolloutName) -> Rollout:
        """Give the one of that name."""
        found = next((one for one in self._state.rollouts.values() if one.name == name), None)
        if found is None:
            raise RolloutUnknownError(name)
        return found

    def with_id(self, rollout_id: RolloutId) -> Rollout:
        """Give the one with that id."""
        try:
            return self._state.rollouts[rollout_id]
        except KeyError:
            raise RolloutUnknownError(str(rollout_id)) from None

    def all(self) -> Sequence[Rollout]:
        """Give all of them, the first to begin first."""
        return sorted(self._state.rollouts.values(), key=lambda one: (one.started_at, one.name))

    def change(self, seen: Rollout, after: Rollout) -> Rollout:
        """Put ``after`` in the place of ``seen`` if that is still what is there."""
        known = self._state.rollouts.get(seen.id)
        if known is None or known.revision != seen.revision:
            raise RolloutChangedError(seen.name)
        changed = replace(after, id=seen.id, revision=seen.revision + 1)
        self._state.rollouts[seen.id] = changed
        return changed

    def remove(self, rollout_id: RolloutId) -> None:
        """Forget it with its machines."""
        self._state.rollouts.pop(rollout_id, None)
        self._state.rollout_members.pop(rollout_id, None)
        self._state.rollouts_looked_at.pop(rollout_id, None)

    def looked_at(self, rollout_id: RolloutId) -> datetime | None:
        """Give when its machines were last compared with those that there are."""
        return self._state.rollouts_looked_at.get(rollout_id)

    def set_looked_at(self, rollout_id: RolloutId, now: datetime) -> None:
        """Remember that."""
        self._state.rollouts_looked_at[rollout_id] = now


class MemoryRolloutMembers:
    """Machines by rollout and id."""

    def __init__(self, state: State) -> None:
        self._state = state

    def put(self, rollout_id: RolloutId, members: Iterable[Member]) -> None:
        """Add or replace them."""
        own = self._state.rollout_members.setdefault(rollout_id, {})
        own.update({one.id: one for one in members})

    def find(self, rollout_id: RolloutId, member_id: MemberId) -> Member | None:
        """Give one, if there is one."""
        return self._state.rollout_members.get(rollout_id, {}).get(member_id)

    def of_rollout(self, rollout_id: RolloutId) -> Sequence[Member]:
        """Give those of a rollout."""
        own = self._state.rollout_members.get(rollout_id, {})
        return [own[one] for one in sorted(own)]

    def of_computer(self, computer_id: ComputerId) -> Mapping[RolloutId, Sequence[Member]]:
        """Give those of a computer, by rollout."""
        found: dict[RolloutId, list[Member]] = {}
        for rollout_id, members in self._state.rollout_members.items():
            for one in sorted(members):
                if one.partition("/")[0] == str(computer_id):
                    found.setdefault(rollout_id, []).append(members[one])
        return found

    def count_waves(self, rollout_id: RolloutId, silent_since: datetime) -> Sequence[Tally]:
        """Count the machines of each wave that has any."""
        members = self.of_rollout(rollout_id)
        return [
            tally_of(wave, members, silent_since) for wave in sorted({one.wave for one in members})
        ]

    def count_exposed(self, rollout_id: RolloutId) -> int:
        """Count those that have it, or may take it."""
        return sum(one.is_exposed for one in self.of_rollout(rollout_id))


class MemoryKitAssignments:
    """Assignments by computer."""

    def __init__(self, state: State) -> None:
        self._state = state

    def add(self, assignment: KitAssignment) -> None:
        """Add one."""
        self._state.kit_assignments[assignment.computer_id] = assignment

    def find(self, computer_id: ComputerId) -> KitAssignment | None:
        """Give that of a computer, if there is one."""
        return self._state.kit_assignments.get(computer_id)

    def of_item(self, item_id: ItemId) -> Sequence[KitAssignment]:
        """Give those of a kit."""
        return [one for one in self.all() if one.item_id == item_id]

    def all(self) -> Sequence[KitAssignment]:
        """Give all of them."""
        known = self._state.kit_assignments
        return [known[computer_id] for computer_id in sorted(known)]

    def change(self, seen: KitAssignment, after: KitAssignment) -> KitAssignment:
        """Put ``after`` in the place of ``seen`` if that is still what is there."""
        known = self._state.kit_assignments.get(seen.computer_id)
        if known is None or known.revision != seen.revision:
            raise KitAssignmentChangedError
        changed = replace(after, computer_id=seen.computer_id, revision=seen.revision + 1)
        self._state.kit_assignments[seen.computer_id] = changed
        return changed

    def remove(self, computer_id: ComputerId) -> None:
        """Take it away."""
        self._state.kit_assignments.pop(computer_id, None)
