"""Assignments: that users get an image on their computers."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, NewType
from uuid import UUID

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from corral.farm.domain.computer.user import UserGroup, UserGroupId, UserId
    from corral.farm.domain.image.image import ImageId

AssignmentId = NewType("AssignmentId", UUID)


@dataclass(frozen=True)
class ImageAssignment:
    """That a user, or every user of a user group, gets an image."""

    id: AssignmentId
    image_id: ImageId
    holder: UserId | UserGroupId
    """Ids of users and of user groups are never the same."""
    assigned_at: datetime
    is_staged: bool = False
    """The newest version that is in test, as a device of type test gets it."""
    revision: int = 1


@dataclass(frozen=True)
class Granted:
    """What a user has of an image, and by which assignments."""

    is_staged: bool
    own: ImageAssignment | None
    by_groups: tuple[tuple[UserGroup, ImageAssignment], ...]

    @property
    def assigned_at(self) -> datetime:
        """Since when."""
        found = [one.assigned_at for _, one in self.by_groups]
        return min(found if self.own is None else [*found, self.own.assigned_at])


def granted_to(
    user_id: UserId, groups: Iterable[UserGroup], assignments: Iterable[ImageAssignment]
) -> Mapping[ImageId, Granted]:
    """Give what a user has of each image.

    What was said of the user alone counts more than what was said of a group; of several groups,
    one that is staged is enough.
    """
    theirs: dict[UUID, UserGroup] = {one.id: one for one in groups if user_id in one.members}
    own: dict[ImageId, ImageAssignment] = {}
    by_groups: dict[ImageId, list[tuple[UserGroup, ImageAssignment]]] = {}
    for one in assignments:
        if one.holder == user_id:
            own[one.image_id] = one
        elif (group := theirs.get(one.holder)) is not None:
            by_groups.setdefault(one.image_id, []).append((group, one))
    found: dict[ImageId, Granted] = {}
    for image_id in {*own, *by_groups}:
        mine = own.get(image_id)
        others = tuple(sorted(by_groups.get(image_id, ()), key=lambda pair: pair[0].name))
        staged = any(one.is_staged for _, one in others) if mine is None else mine.is_staged
        found[image_id] = Granted(staged, mine, others)
    return MappingProxyType(found)
