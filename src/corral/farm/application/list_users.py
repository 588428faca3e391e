"""List users and user groups."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from corral.farm.application.listing import Columns

if TYPE_CHECKING:
    from corral.farm.application.ports.records import Records, Transactions
    from corral.farm.domain.computer.computer import ComputerName
    from corral.farm.domain.computer.user import (
        User,
        UserGroup,
        UserGroupName,
        UserId,
        UserName,
    )
    from corral.farm.domain.image.image import ImageName


@dataclass(frozen=True)
class UserView:
    """A user, what they are in, use and have."""

    user: User
    groups: tuple[UserGroupName, ...]
    computers: tuple[ComputerName, ...]
    images: tuple[ImageName, ...]
    """By assignments of their own, and by those of their groups."""


@dataclass(frozen=True)
class UserGroupView:
    """A user group, who is in it, and what they all have."""

    group: UserGroup
    members: tuple[UserName, ...]
    images: tuple[ImageName, ...]


USERS: Final = Columns[UserView](
    values={
        "name": lambda view: view.user.name,
        "full-name": lambda view: view.user.full_name,
        "description": lambda view: view.user.description,
        "group": lambda view: view.groups,
        "computer": lambda view: view.computers,
        "image": lambda view: view.images,
        "created": lambda view: view.user.created_at,
    },
    identity=lambda view: view.user.name,
)
USER_GROUPS: Final = Columns[UserGroupView](
    values={
        "name": lambda view: view.group.name,
        "description": lambda view: view.group.description,
        "member": lambda view: view.members,
        "members": lambda view: len(view.members),
        "image": lambda view: view.images,
    },
    identity=lambda view: view.group.name,
)


class ListUsers:
    """Gives users with what they are in, use and have."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def __call__(self) -> tuple[UserView, ...]:
        """Give all of them, in the order of names."""
        with self._transactions.reading() as records:
            return _Views(records).users()


class ShowUser:
    """Gives one user."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def __call__(self, name: UserName) -> UserView:
        """Give them; raises ``UserUnknownError``."""
        with self._transactions.reading() as records:
            user = records.users.get(name)
            return _Views(records).of_user(user)


class ListUserGroups:
    """Gives user groups with their members and images."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def __call__(self) -> tuple[UserGroupView, ...]:
        """Give all of them, in the order of names."""
        with self._transactions.reading() as records:
            return _Views(records).groups()


class ShowUserGroup:
    """Gives one user group."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def __call__(self, name: UserGroupName) -> UserGroupView:
        """Give it; raises ``UserGroupUnknownError``."""
        with self._transactions.reading() as records:
            group = records.user_groups.get(name)
            return _Views(records).of_group(group)


class _Views:
    """Looks up what many have in common once."""

    def __init__(self, records: Records) -> None:
        self._users = records.users.all()
        self._names = {user.id: user.name for user in self._users}
        self._groups = records.user_groups.all()
        images = {image.id: image.name for image in records.images.all()}
        self._images: dict[object, set[ImageName]] = {}
        for one in records.image_assignments.all():
            self._images.setdefault(one.holder, set()).add(images[one.image_id])
        self._groups_of: dict[UserId, list[UserGroup]] = {}
        for group in self._groups:
            for member in group.members:
                self._groups_of.setdefault(member, []).append(group)
        self._computers: dict[UserId, list[ComputerName]] = {}
        for computer in records.computers.all():
            for user_id in computer.users:
                self._computers.setdefault(user_id, []).append(computer.name)

    def users(self) -> tuple[UserView, ...]:
        return tuple(map(self.of_user, self._users))

    def of_user(self, user: User) -> UserView:
        groups = self._groups_of.get(user.id, [])
        images = set(self._images.get(user.id, ()))
        for group in groups:
            images |= self._images.get(group.id, set())
        return UserView(
            user=user,
            groups=tuple(group.name for group in groups),
            computers=tuple(self._computers.get(user.id, ())),
            images=tuple(sorted(images)),
        )

    def groups(self) -> tuple[UserGroupView, ...]:
        return tuple(map(self.of_group, self._groups))

    def of_group(self, group: UserGroup) -> UserGroupView:
        return UserGroupView(
            group=group,
            members=tuple(sorted(self._names[member] for member in group.members)),
            images=tuple(sorted(self._images.get(group.id, ()))),
        )
