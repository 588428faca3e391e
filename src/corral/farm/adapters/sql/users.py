"""Users, user groups and assignments in SQL."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    delete,
    insert,
    select,
)

from corral.farm.adapters.sql.computers import registration_code
from corral.farm.adapters.sql.edits import named_once, replaced
from corral.farm.adapters.sql.tables import Instant, Name, metadata
from corral.farm.domain.computer.assignment import AssignmentId, ImageAssignment
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
from corral.farm.domain.computer.policy import ImagePolicy, MachinePolicy
from corral.farm.domain.computer.user import (
    User,
    UserGroup,
    UserGroupId,
    UserGroupName,
    UserId,
    UserName,
)
from corral.farm.domain.image.image import ImageId

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from uuid import UUID

    from sqlalchemy import ColumnElement, Connection, Row

# "user" is a word of SQL.
person = Table(
    "person",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("name", Name, nullable=False, unique=True),
    Column("full_name", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("revision", Integer, nullable=False),
)

user_group = Table(
    "user_group",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("name", Name, nullable=False, unique=True),
    Column("description", Text, nullable=False),
    Column("revision", Integer, nullable=False),
)

user_group_member = Table(
    "user_group_member",
    metadata,
    Column("group_id", Uuid, ForeignKey("user_group.id"), primary_key=True),
    Column("user_id", Uuid, ForeignKey("person.id"), primary_key=True, index=True),
)

image_assignment = Table(
    "image_assignment",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("image_id", Uuid, ForeignKey("image.id"), nullable=False),
    # No foreign key: a user or a user group.
    Column("holder_id", Uuid, nullable=False, index=True),
    Column("is_staged", Boolean(create_constraint=False), nullable=False),
    Column("assigned_at", Instant, nullable=False),
    Column("revision", Integer, nullable=False),
    UniqueConstraint("image_id", "holder_id"),
)

image_policy = Table(
    "image_policy",
    metadata,
    Column("image_id", Uuid, ForeignKey("image.id"), primary_key=True),
    Column("memory_mib", Integer, nullable=False),
    Column("processors", Integer, nullable=False),
    Column("user_disk_bytes", BigInteger, nullable=False),
    Column("prove_within_seconds", Integer, nullable=False),
    Column("soak_seconds", Integer, nullable=False),
    Column("postpone_seconds", Integer, nullable=False),
    Column("starts_itself", Boolean(create_constraint=False), nullable=False),
    Column("is_disabled", Boolean(create_constraint=False), nullable=False),
    Column("revision", Integer, nullable=False),
)


class SqlUsers:
    """A row each."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, user: User) -> None:
        """Add one."""
        with named_once(self._connection, UserNameTakenError(user.name)):
            self._connection.execute(insert(person).values(_user_values(user)))

    def get(self, name: UserName) -> User:
        """Give the one of that name."""
        found = self.find(name)
        if found is None:
            raise UserUnknownError(name)
        return found

    def find(self, name: UserName) -> User | None:
        """Give the one of that name, if there is one."""
        found = self._select(person.c.name == name)
        return found[0] if found else None

    def with_id(self, user_id: UserId) -> User:
        """Give the one with that id."""
        found = self._select(person.c.id == user_id)
        if not found:
            raise UserUnknownError(str(user_id))
        return found[0]

    def all(self) -> Sequence[User]:
        """Give all of them."""
        return self._select()

    def change(self, seen: User, after: User) -> User:
        """Change the row if its revision is still the one that was seen."""
        changed = replace(after, id=seen.id, revision=seen.revision + 1)
        values = _user_values(changed)
        if not replaced(self._connection, person, seen.id, seen.revision, values):
            self.with_id(seen.id)
            raise UserChangedError(seen.name)
        return changed

    def remove(self, user_id: UserId) -> None:
        """Delete the row and those that belong to it."""
        for table, column in (
            (user_group_member, user_group_member.c.user_id),
            (image_assignment, image_assignment.c.holder_id),
            (registration_code, registration_code.c.user_id),
            (person, person.c.id),
        ):
            self._connection.execute(delete(table).where(column == user_id))

    def _select(self, *conditions: ColumnElement[bool]) -> list[User]:
        query = select(person).where(*conditions).order_by(person.c.name)
        return [_user(row) for row in self._connection.execute(query)]


class SqlUserGroups:
    """A row each, and one for each member."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, group: UserGroup) -> None:
        """Add one with its members."""
        with named_once(self._connection, UserGroupNameTakenError(group.name)):
            self._connection.execute(insert(user_group).values(_group_values(group)))
        self._add_members(group.id, group.members)

    def get(self, name: UserGroupName) -> UserGroup:
        """Give the one of that name."""
        found = self.find(name)
        if found is None:
            raise UserGroupUnknownError(name)
        return found

    def find(self, name: UserGroupName) -> UserGroup | None:
        """Give the one of that name, if there is one."""
        found = self._select(user_group.c.name == name)
        return found[0] if found else None

    def with_id(self, group_id: UserGroupId) -> UserGroup:
        """Give the one with that id."""
        found = self._select(user_group.c.id == group_id)
        if not found:
            raise UserGroupUnknownError(str(group_id))
        return found[0]

    def all(self) -> Sequence[UserGroup]:
        """Give all of them."""
        return self._select()

    def of_user(self, user_id: UserId) -> Sequence[UserGroup]:
        """Give those that a user is in, without reading who else is."""
        query = (
            select(user_group)
            .join(user_group_member, user_group_member.c.group_id == user_group.c.id)
            .where(user_group_member.c.user_id == user_id)
            .order_by(user_group.c.name)
        )
        only = frozenset({user_id})
        return [_group(row, only) for row in self._connection.execute(query)]

    def change(self, seen: UserGroup, after: UserGroup) -> UserGroup:
        """Change the row if its revision is still the one that was seen."""
        changed = replace(after, id=seen.id, revision=seen.revision + 1)
        values = _group_values(changed)
        if not replaced(self._connection, user_group, seen.id, seen.revision, values):
            self.with_id(seen.id)
            raise UserGroupChangedError(seen.name)
        self._remove_members(seen.id)
        self._add_members(seen.id, changed.members)
        return changed

    def remove(self, group_id: UserGroupId) -> None:
        """Delete the row and those that belong to it."""
        self._remove_members(group_id)
        self._connection.execute(
            delete(image_assignment).where(image_assignment.c.holder_id == group_id)
        )
        self._connection.execute(delete(user_group).where(user_group.c.id == group_id))

    def _add_members(self, group_id: UserGroupId, members: Iterable[UserId]) -> None:
        values = [{"group_id": group_id, "user_id": member} for member in members]
        if values:
            self._connection.execute(insert(user_group_member), values)

    def _remove_members(self, group_id: UserGroupId) -> None:
        self._connection.execute(
            delete(user_group_member).where(user_group_member.c.group_id == group_id)
        )

    def _select(self, *conditions: ColumnElement[bool]) -> list[UserGroup]:
        query = select(user_group).where(*conditions).order_by(user_group.c.name)
        rows = self._connection.execute(query).all()
        # Whole tables are joined rather than ids listed: a statement takes only so many of those.
        pairs = select(user_group_member).join(
            user_group, user_group.c.id == user_group_member.c.group_id
        )
        members: dict[UUID, set[UserId]] = {row.id: set() for row in rows}
        for row in self._connection.execute(pairs.where(*conditions)):
            members[row.group_id].add(UserId(row.user_id))
        return [_group(row, frozenset(members[row.id])) for row in rows]


class SqlImageAssignments:
    """A row each."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, assignment: ImageAssignment) -> None:
        """Add one."""
        self._connection.execute(insert(image_assignment).values(_assignment_values(assignment)))

    def find(self, image_id: ImageId, holder: UUID) -> ImageAssignment | None:
        """Give that of an image to a holder, if there is one."""
        found = self._select(
            image_assignment.c.image_id == image_id, image_assignment.c.holder_id == holder
        )
        return found[0] if found else None

    def of_holders(self, holders: Collection[UUID]) -> Sequence[ImageAssignment]:
        """Give all that some have."""
        found = self._select(image_assignment.c.holder_id.in_(list(holders)))
        return sorted(found, key=lambda one: one.id.hex)

    def with_id(self, assignment_id: AssignmentId) -> ImageAssignment:
        """Give the one with that id."""
        found = self._select(image_assignment.c.id == assignment_id)
        if not found:
            raise AssignmentUnknownError(str(assignment_id), "anybody")
        return found[0]

    def all(self) -> Sequence[ImageAssignment]:
        """Give all of them; sorted here, for databases do not agree on the order of ids."""
        return sorted(self._select(), key=lambda one: one.id.hex)

    def change(self, seen: ImageAssignment, after: ImageAssignment) -> ImageAssignment:
        """Change the row if its revision is still the one that was seen."""
        changed = replace(after, id=seen.id, revision=seen.revision + 1)
        values = _assignment_values(changed)
        if not replaced(self._connection, image_assignment, seen.id, seen.revision, values):
            raise AssignmentChangedError(str(seen.image_id), str(seen.holder))
        return changed

    def remove(self, assignment_id: AssignmentId) -> None:
        """Delete the row."""
        self._connection.execute(
            delete(image_assignment).where(image_assignment.c.id == assignment_id)
        )

    def _select(self, *conditions: ColumnElement[bool]) -> list[ImageAssignment]:
        query = select(image_assignment).where(*conditions)
        return [_assignment(row) for row in self._connection.execute(query)]


class SqlImagePolicies:
    """A row for each image that has one of its own."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def with_id(self, image_id: ImageId) -> ImagePolicy:
        """Give that of an image."""
        found = self._select(image_policy.c.image_id == image_id)
        return found[0] if found else ImagePolicy(image_id)

    def all(self) -> Sequence[ImagePolicy]:
        """Give those that somebody set."""
        return sorted(self._select(), key=lambda one: one.image_id.hex)

    def change(self, seen: ImagePolicy, after: ImagePolicy) -> ImagePolicy:
        """Put it there anew if the revision is still the one that was seen."""
        changed = replace(after, image_id=seen.image_id, revision=seen.revision + 1)
        taken = MachinePolicyChangedError(str(seen.image_id))
        if self.with_id(seen.image_id).revision != seen.revision:
            raise taken
        self._connection.execute(
            delete(image_policy).where(image_policy.c.image_id == seen.image_id)
        )
        self._connection.execute(insert(image_policy).values(_policy_values(changed)))
        return changed

    def _select(self, *conditions: ColumnElement[bool]) -> list[ImagePolicy]:
        query = select(image_policy).where(*conditions)
        return [_policy(row) for row in self._connection.execute(query)]


def _user(row: Row[Any]) -> User:
    return User(
        id=UserId(row.id),
        name=UserName(row.name),
        created_at=row.created_at,
        full_name=row.full_name,
        description=row.description,
        revision=row.revision,
    )


def _user_values(of: User) -> dict[str, Any]:
    return {
        "id": of.id,
        "name": of.name,
        "created_at": of.created_at,
        "full_name": of.full_name,
        "description": of.description,
        "revision": of.revision,
    }


def _group(row: Row[Any], members: frozenset[UserId]) -> UserGroup:
    return UserGroup(
        UserGroupId(row.id), UserGroupName(row.name), row.description, members, row.revision
    )


def _group_values(of: UserGroup) -> dict[str, Any]:
    return {
        "id": of.id,
        "name": of.name,
        "description": of.description,
        "revision": of.revision,
    }


def _assignment(row: Row[Any]) -> ImageAssignment:
    return ImageAssignment(
        id=AssignmentId(row.id),
        image_id=ImageId(row.image_id),
        holder=UserId(row.holder_id),
        assigned_at=row.assigned_at,
        is_staged=row.is_staged,
        revision=row.revision,
    )


def _assignment_values(of: ImageAssignment) -> dict[str, Any]:
    return {
        "id": of.id,
        "image_id": of.image_id,
        "holder_id": of.holder,
        "assigned_at": of.assigned_at,
        "is_staged": of.is_staged,
        "revision": of.revision,
    }


def _policy(row: Row[Any]) -> ImagePolicy:
    policy = MachinePolicy(
        memory_mib=row.memory_mib,
        processors=row.processors,
        user_disk_bytes=row.user_disk_bytes,
        prove_within_seconds=row.prove_within_seconds,
        soak_seconds=row.soak_seconds,
        postpone_seconds=row.postpone_seconds,
        starts_itself=row.starts_itself,
        is_disabled=row.is_disabled,
    )
    return ImagePolicy(ImageId(row.image_id), policy, row.revision)


def _policy_values(of: ImagePolicy) -> dict[str, Any]:
    return {
        "image_id": of.image_id,
        "memory_mib": of.policy.memory_mib,
        "processors": of.policy.processors,
        "user_disk_bytes": of.policy.user_disk_bytes,
        "prove_within_seconds": of.policy.prove_within_seconds,
        "soak_seconds": of.policy.soak_seconds,
        "postpone_seconds": of.policy.postpone_seconds,
        "starts_itself": of.policy.starts_itself,
        "is_disabled": of.policy.is_disabled,
        "revision": of.revision,
    }
