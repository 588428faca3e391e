"""What the farm remembers of rollouts, and of kits that computers were given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from corral.farm.domain.computer.computer import ComputerId
    from corral.farm.domain.library.assignment import KitAssignment
    from corral.farm.domain.library.item import ItemId
    from corral.farm.domain.rollout.gate import Tally
    from corral.farm.domain.rollout.member import Member, MemberId
    from corral.farm.domain.rollout.rollout import Rollout, RolloutId, RolloutName


class Rollouts(Protocol):
    """The rollouts, in the order in which they began."""

    def add(self, rollout: Rollout) -> None:
        """Add one; raises ``RolloutNameTakenError``."""
        ...

    def get(self, name: RolloutName) -> Rollout:
        """Give the one of that name; raises ``RolloutUnknownError``."""
        ...

    def with_id(self, rollout_id: RolloutId) -> Rollout:
        """Give the one with that id; raises ``RolloutUnknownError``."""
        ...

    def all(self) -> Sequence[Rollout]:
        """Give all of them."""
        ...

    def change(self, seen: Rollout, after: Rollout) -> Rollout:
        """Put ``after`` in the place of ``seen``, and give it with its new revision.

        Raises ``RolloutChangedError`` if it was changed or removed since it was seen.
        """
        ...

    def remove(self, rollout_id: RolloutId) -> None:
        """Forget it with its machines; quietly done if it is gone."""
        ...

    def looked_at(self, rollout_id: RolloutId) -> datetime | None:
        """Give when its machines were last compared with those that there are."""
        ...

    def set_looked_at(self, rollout_id: RolloutId, now: datetime) -> None:
        """Remember that."""
        ...


class RolloutMembers(Protocol):
    """The machines of rollouts."""

    def put(self, rollout_id: RolloutId, members: Iterable[Member]) -> None:
        """Add them, or put them in the place of those with the same ids."""
        ...

    def find(self, rollout_id: RolloutId, member_id: MemberId) -> Member | None:
        """Give one, if there is one."""
        ...

    def of_rollout(self, rollout_id: RolloutId) -> Sequence[Member]:
        """Give those of a rollout, in the order of their ids."""
        ...

    def of_computer(self, computer_id: ComputerId) -> Mapping[RolloutId, Sequence[Member]]:
        """Give those of a computer, by rollout, in the order of their ids."""
        ...

    def count_waves(self, rollout_id: RolloutId, silent_since: datetime) -> Sequence[Tally]:
        """Count the machines of each wave that has any, in the order of waves.

        Silent are those that were offered something and were last heard of before that moment.
        """
        ...

    def count_exposed(self, rollout_id: RolloutId) -> int:
        """Count those that have what is rolled out, or may take it."""
        ...


class KitAssignments(Protocol):
    """Which kit a computer was given, in the order of their ids; at most one each."""

    def add(self, assignment: KitAssignment) -> None:
        """Add one; the caller has seen that the computer has none."""
        ...

    def find(self, computer_id: ComputerId) -> KitAssignment | None:
        """Give that of a computer, if there is one."""
        ...

    def of_item(self, item_id: ItemId) -> Sequence[KitAssignment]:
        """Give those of a kit."""
        ...

    def all(self) -> Sequence[KitAssignment]:
        """Give all of them."""
        ...

    def change(self, seen: KitAssignment, after: KitAssignment) -> KitAssignment:
        """Put ``after`` in the place of ``seen``, and give it with its new revision.

        Raises ``KitAssignmentChangedError`` if it was changed or taken away since it was seen.
        """
        ...

    def remove(self, computer_id: ComputerId) -> None:
        """Take it away; quietly done if there is none."""
        ...
