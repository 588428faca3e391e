"""Users, user groups and assignments in memory."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from corral.farm.domain.computer.errors import (
    AssignmentChangedError,
    AssignmentUnknownError,
    MachinePolicyChangedError,
    UserChangedError,
    UserGroupChangedError,
    UserGroupNameTakenError,
    UserGroupUnknownError,
    UserNameTakenError,
    UserUnknownError,
)
from corral.farm.domain.computer.policy import ImagePolicy

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from uuid import UUID

    from corral.farm.adapters.memory.state import State
    from corral.farm.domain.computer.assignment import AssignmentId, ImageAssignment
    from corral.farm.domain.computer.user import (
        User,
        UserGroup,
        UserGroupId,
        UserGroupName,
        UserId,
        UserName,
    )
    from corral.farm.domain.image.image import ImageId


class MemoryUsers:
    """Users by id."""

    def __init__(self, state: State) -> None:
        self._state = state

    def add(self, user: User) -> None:
        """Add one."""
        if self.find(user.name) is not None:
            raise UserNameTakenError(user.name)
        self._state.users[user.id] = user

    def get(self, name: UserName) -> User:
        """Give the one of that name."""
        user = self.find(name)
        if user is None:
            raise UserUnknownError(name)
        return user

    def find(self, name: UserName) -> User | None:
        """Give the one of that name, if there is one."""
        return next((one for one in self._state.users.values() if one.name == name), None)

    def with_id(self, user_id: UserId) -> User:
        """Give the one with that id."""
        try:
            return self._state.users[user_id]
        except KeyError:
            raise UserUnknownError(str(user_id)) from None

    def all(self) -> Sequence[User]:
        """Give all of them."""
        return sorted(self._state.users.values(), key=lambda user: user.name)

    def change(self, seen: User, after: User) -> User:
        """Change it if its revision is still the one that was seen."""
        if self.with_id(seen.id).revision != seen.revision:
            raise UserChangedError(seen.name)
        changed = replace(after, id=seen.id, revision=seen.revision + 1)
        self._state.users[seen.id] = changed
        return changed

    def remove(self, user_id: UserId) -> None:
        """Forget it, and what belongs to it."""
        state = self._state
        state.users.pop(user_id, None)
        for group in list(state.user_groups.values()):
            members = group.members - {user_id}
            state.user_groups[group.id] = replace(group, members=members)
        _forget_assignments(state, user_id)
        state.registration_codes = {
            key: code for key, code in state.registration_codes.items() if code.user_id != user_id
        }


class MemoryUserGroups:
    """User groups by id."""

    def __init__(self, state: State) -> None:
        self._state = state

    def add(self, group: UserGroup) -> None:
        """Add one."""
        if self.find(group.name) is not None:
            raise UserGroupNameTakenError(group.name)
        self._state.user_groups[group.id] = group

    def get(self, name: UserGroupName) -> UserGroup:
        """Give the one of that name."""
        group = self.find(name)
        if group is None:
            raise UserGroupUnknownError(name)
        return group

    def find(self, name: UserGroupName) -> UserGroup | None:
        """Give the one of that name, if there is one."""
        return next((one for one in self._state.user_groups.values() if one.name == name), None)

    def with_id(self, group_id: UserGroupId) -> UserGroup:
        """Give the one with that id."""
        try:
            return self._state.user_groups[group_id]
        except KeyError:
            raise UserGroupUnknownError(str(group_id)) from None

    def all(self) -> Sequence[UserGroup]:
        """Give all of them."""
        return sorted(self._state.user_groups.values(), key=lambda group: group.name)

    def of_user(self, user_id: UserId) -> Sequence[UserGroup]:
        """Give those that a user is in."""
        only = frozenset({user_id})
        return [replace(one, members=only) for one in self.all() if user_id in one.members]

    def change(self, seen: UserGroup, after: UserGroup) -> UserGroup:
        """Change it if its revision is still the one that was seen."""
        if self.with_id(seen.id).revision != seen.revision:
            raise UserGroupChangedError(seen.name)
        changed = replace(after, id=seen.id, revision=seen.revision + 1)
        self._state.user_groups[seen.id] = changed
        return changed

    def remove(self, group_id: UserGroupId) -> None:
        """Forget it and its assignments."""
        self._state.user_groups.pop(group_id, None)
        _forget_assignments(self._state, group_id)


class MemoryImageAssignments:
    """Assignments by id."""

    def __init__(self, state: State) -> None:
        self._state = state

    def add(self, assignment: ImageAssignment) -> None:
        """Add one."""
        self._state.image_assignments[assignment.id] = assignment

    def find(self, image_id: ImageId, holder: UUID) -> ImageAssignment | None:
        """Give that of an image to a holder, if there is one."""
        wanted = (image_id, holder)
        found = self._state.image_assignments.values()
        return next((one for one in found if (one.image_id, one.holder) == wanted), None)

    def of_holders(self, holders: Collection[UUID]) -> Sequence[ImageAssignment]:
        """Give all that some have."""
        return [one for one in self.all() if one.holder in holders]

    def with_id(self, assignment_id: AssignmentId) -> ImageAssignment:
        """Give the one with that id."""
        try:
            return self._state.image_assignments[assignment_id]
        except KeyError:
            raise AssignmentUnknownError(str(assignment_id), "anybody") from None

    def all(self) -> Sequence[ImageAssignment]:
        """Give all of them."""
        return sorted(self._state.image_assignments.values(), key=lambda one: one.id.hex)

    def change(self, seen: ImageAssignment, after: ImageAssignment) -> ImageAssignment:
        """Change it if its revision is still the one that was seen."""
        known = self._state.image_assignments.get(seen.id)
        if known is None or known.revision != seen.revision:
            raise AssignmentChangedError(str(seen.image_id), str(seen.holder))
        changed = replace(after, id=seen.id, revision=seen.revision + 1)
        self._state.image_assignments[seen.id] = changed
        return changed

    def remove(self, assignment_id: AssignmentId) -> None:
        """Take it away."""
        self._state.image_assignments.pop(assignment_id, None)


class MemoryImagePolicies:
    """Policies by image."""

    def __init__(self, state: State) -> None:
        self._state = state

    def with_id(self, image_id: ImageId) -> ImagePolicy:
        """Give that of an image."""
        return self._state.image_policies.get(image_id, ImagePolicy(image_id))

    def all(self) -> Sequence[ImagePolicy]:
        """Give those that somebody set."""
        return sorted(self._state.image_policies.values(), key=lambda one: one.image_id.hex)

    def change(self, seen: ImagePolicy, after: ImagePolicy) -> ImagePolicy:
        """Change it if its revision is still the one that was seen."""
        if self.with_id(seen.image_id).revision != seen.revision:
            raise MachinePolicyChangedError(str(seen.image_id))
        changed = replace(after, image_id=seen.image_id, revision=seen.revision + 1)
        self._state.image_policies[seen.image_id] = changed
        return changed


def _forget_assignments(state: State, holder: UUID) -> None:
    state.image_assignments = {
        key: one for key, one in state.image_assignments.items() if one.holder != holder
    }
