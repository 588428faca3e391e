"""Users: persons whom images are assigned to, alone or together with others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NewType
from uuid import UUID

from corral.farm.domain.computer.errors import FullNameInvalidError
from corral.farm.domain.naming import checked_name

if TYPE_CHECKING:
    from datetime import datetime

UserId = NewType("UserId", UUID)
UserName = NewType("UserName", str)
UserGroupId = NewType("UserGroupId", UUID)
UserGroupName = NewType("UserGroupName", str)

_FULL_NAME_AT_MOST = 200


def user_name(text: str) -> UserName:
    """Check a name for a user."""
    return UserName(checked_name("user", text))


def user_group_name(text: str) -> UserGroupName:
    """Check a name for a user group."""
    return UserGroupName(checked_name("user group", text))


def full_name(text: str) -> str:
    """Check how a person is called; one line of what can be printed."""
    name = text.strip()
    if len(name) > _FULL_NAME_AT_MOST or not name.isprintable():
        raise FullNameInvalidError(name[:_FULL_NAME_AT_MOST])
    return name


@dataclass(frozen=True)
class User:
    """A person; signs in to nothing of the farm, as an account does."""

    id: UserId
    name: UserName
    created_at: datetime
    full_name: str = ""
    description: str = ""
    revision: int = 1


@dataclass(frozen=True)
class UserGroup:
    """Users that images are assigned to together."""

    id: UserGroupId
    name: UserGroupName
    description: str = ""
    members: frozenset[UserId] = frozenset()
    revision: int = 1
