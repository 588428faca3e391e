"""What the farm remembers of users, user groups, and what is assigned to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from uuid import UUID

    from corral.farm.domain.computer.assignment import AssignmentId, ImageAssignment
    from corral.farm.domain.computer.policy import ImagePolicy
    from corral.farm.domain.computer.user import (
        User,
        UserGroup,
        UserGroupId,
        UserGroupName,
        UserId,
        UserName,
    )
    from corral.farm.domain.image.image import ImageId


class Users(Protocol):
    """The users."""

    def add(self, user: User) -> None:
        """Add one; raises ``UserNameTakenError``."""
        ...

    def get(self, name: UserName) -> User:
        """Give the one of that name; raises ``UserUnknownError``."""
        ...

    def find(self, name: UserName) -> User | None:
        """Give the one of that name, if there is one."""
        ...

    def with_id(self, user_id: UserId) -> User:
        """Give the one with that id; raises ``UserUnknownError``."""
        ...

    def all(self) -> Sequence[User]:
        """Give all of them, in the order of names."""
        ...

    def change(self, seen: User, after: User) -> User:
        """Put ``after`` in the place of ``seen``, and give it with its new revision.

        Raises ``UserChangedError`` if it was changed since it was seen, ``UserUnknownError`` if it
        is gone.
        """
        ...

    def remove(self, user_id: UserId) -> None:
        """Forget it, its assignments and codes, and that it is in user groups.

        The caller has seen that no computer is theirs.
        """
        ...


class UserGroups(Protocol):
    """The user groups with their members."""

    def add(self, group: UserGroup) -> None:
        """Add one; raises ``UserGroupNameTakenError``."""
        ...

    def get(self, name: UserGroupName) -> UserGroup:
        """Give the one of that name; raises ``UserGroupUnknownError``."""
        ...

    def find(self, name: UserGroupName) -> UserGroup | None:
        """Give the one of that name, if there is one."""
        ...

    def with_id(self, group_id: UserGroupId) -> UserGroup:
        """Give the one with that id; raises ``UserGroupUnknownError``."""
        ...

    def all(self) -> Sequence[UserGroup]:
        """Give all of them, in the order of names."""
        ...

    def of_user(self, user_id: UserId) -> Sequence[UserGroup]:
        """Give those that a user is in, in the order of names, each with that one member only."""
        ...

    def change(self, seen: UserGroup, after: UserGroup) -> UserGroup:
        """Put ``after`` in the place of ``seen``, and give it with its new revision.

        Raises ``UserGroupChangedError`` if it was changed since it was seen,
        ``UserGroupUnknownError`` if it is gone.
        """
        ...

    def remove(self, group_id: UserGroupId) -> None:
        """Forget it and its assignments."""
        ...


class ImageAssignments(Protocol):
    """Who gets which image."""

    def add(self, assignment: ImageAssignment) -> None:
        """Add one; the caller has seen that its holder does not have the image yet."""
        ...

    def find(self, image_id: ImageId, holder: UUID) -> ImageAssignment | None:
        """Give that of an image to a user or a user group, if there is one."""
        ...

    def of_holders(self, holders: Collection[UUID]) -> Sequence[ImageAssignment]:
        """Give all that some users and user groups have, in the order of their ids."""
        ...

    def with_id(self, assignment_id: AssignmentId) -> ImageAssignment:
        """Give the one with that id; raises ``AssignmentUnknownError``."""
        ...

    def all(self) -> Sequence[ImageAssignment]:
        """Give all of them, in the order of their ids."""
        ...

    def change(self, seen: ImageAssignment, after: ImageAssignment) -> ImageAssignment:
        """Put ``after`` in the place of ``seen``, and give it with its new revision.

        Raises ``AssignmentChangedError`` if it was changed or taken away since it was seen.
        """
        ...

    def remove(self, assignment_id: AssignmentId) -> None:
        """Take it away; quietly done if it is gone."""
        ...


class ImagePolicies(Protocol):
    """How machines of images are run on computers."""

    def with_id(self, image_id: ImageId) -> ImagePolicy:
        """Give that of an image: the usual one if nobody set another."""
        ...

    def all(self) -> Sequence[ImagePolicy]:
        """Give those that somebody set, in the order of the images' ids."""
        ...

    def change(self, seen: ImagePolicy, after: ImagePolicy) -> ImagePolicy:
        """Put ``after`` in the place of ``seen``, and give it with its new revision.

        Raises ``MachinePolicyChangedError`` if it was changed since it was seen.
        """
        ...
