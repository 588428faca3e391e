"""Add, change and remove users."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from corral.farm.application.edits import KEEP, Edit, edited
from corral.farm.domain.computer.errors import UserChangedError, UserHasComputersError
from corral.farm.domain.computer.user import User, UserId, full_name

if TYPE_CHECKING:
    from corral.farm.application.ports.records import Transactions
    from corral.farm.application.ports.sources import Clock, IdSource
    from corral.farm.domain.computer.user import UserName


@dataclass(frozen=True)
class UserEdit:
    """What is to be different. Engines know a user by the name, which therefore stays."""

    full_name: Edit[str] = KEEP
    description: Edit[str] = KEEP


class AddUser:
    """Adds a person who has no image yet."""

    def __init__(self, transactions: Transactions, ids: IdSource, clock: Clock) -> None:
        self._transactions = transactions
        self._ids = ids
        self._clock = clock

    def __call__(self, name: UserName, called: str = "", description: str = "") -> User:
        """Give the new user; raises ``UserNameTakenError``, ``FullNameInvalidError``."""
        user = User(
            UserId(self._ids.new()), name, self._clock.now(), full_name(called), description
        )
        with self._transactions.writing() as records:
            records.users.add(user)
        return user


class ChangeUser:
    """Changes how a person is called, and what is written about them."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def __call__(self, name: UserName, edit: UserEdit, revision: int | None = None) -> User:
        """Give the user as they are now.

        Raises ``UserUnknownError``, ``FullNameInvalidError``, and ``UserChangedError`` if
        ``revision`` is given and is not that of the user any more.
        """
        with self._transactions.writing() as records:
            seen = records.users.get(name)
            if revision not in (None, seen.revision):
                raise UserChangedError(name)
            after = replace(
                seen,
                full_name=full_name(edited(edit.full_name, seen.full_name)),
                description=edited(edit.description, seen.description),
            )
            return seen if after == seen else records.users.change(seen, after)


class RemoveUser:
    """Forgets a user whose no computer is, with what was assigned to them alone."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def __call__(self, name: UserName, revision: int | None = None) -> User:
        """Give the user as they were.

        Raises ``UserUnknownError``, ``UserHasComputersError``, and ``UserChangedError`` as a change
        does.
        """
        with self._transactions.writing() as records:
            user = records.users.get(name)
            if revision not in (None, user.revision):
                raise UserChangedError(name)
            computers = records.computers.of_user(user.id)
            if computers:
                raise UserHasComputersError(name, [one.name for one in computers])
            # One by one, so that the audit log tells of each.
            for group in records.user_groups.all():
                if user.id in group.members:
                    without = replace(group, members=group.members - {user.id})
                    records.user_groups.change(group, without)
            for assignment in records.image_assignments.of_holders([user.id]):
                records.image_assignments.remove(assignment.id)
            for code in records.registration_codes.all():
                if code.user_id == user.id:
                    records.registration_codes.remove(code.id)
            records.users.remove(user.id)
        return user
