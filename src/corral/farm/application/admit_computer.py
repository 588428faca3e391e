"""Approve or refuse a computer that waits."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from corral.farm.application.register_computer import user_named
from corral.farm.domain.computer.errors import ComputerChangedError, ComputerUserNeededError
from corral.farm.domain.computer.state import ComputerEvent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from corral.farm.application.ports.records import Transactions
    from corral.farm.application.ports.sources import Clock
    from corral.farm.domain.computer.computer import Computer, ComputerName
    from corral.farm.domain.computer.user import UserName
    from corral.farm.domain.estate.collection import CollectionName


class ApproveComputer:
    """Registers a computer that waits, for somebody and in a collection."""

    def __init__(self, transactions: Transactions, clock: Clock) -> None:
        self._transactions = transactions
        self._clock = clock

    def __call__(
        self,
        name: ComputerName,
        users: Sequence[UserName] = (),
        collection: CollectionName | None = None,
        revision: int | None = None,
    ) -> Computer:
        """Give it as it is now; without ``users`` it is for the one that it named.

        Raises ``ComputerUnknownError``, ``ComputerTransitionError``, ``ComputerUserNeededError``,
        ``UserUnknownError``, ``CollectionUnknownError``, and ``ComputerChangedError`` if
        ``revision`` is given and is not that of the computer any more.
        """
        now = self._clock.now()
        with self._transactions.writing() as records:
            seen = records.computers.get(name)
            if revision not in (None, seen.revision):
                raise ComputerChangedError(name)
            approved = seen.after(ComputerEvent.APPROVE, now)
            theirs = frozenset(records.users.get(user).id for user in users)
            if not theirs:
                named = user_named(records, seen.asked_for)
                if named is None:
                    raise ComputerUserNeededError(name)
                theirs = frozenset({named})
            if collection is not None:
                place = records.collections.get(collection).id
                approved = replace(approved, collection_id=place)
            return records.computers.change(seen, replace(approved, users=theirs))


class RefuseComputer:
    """Forgets a computer that waits; it may ask again."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def __call__(self, name: ComputerName, revision: int | None = None) -> Computer:
        """Give it as it was.

        Raises ``ComputerUnknownError``, ``ComputerTransitionError``, and ``ComputerChangedError``
        as an approval does.
        """
        return forget(self._transactions, name, ComputerEvent.REFUSE, revision)


class DeleteComputer:
    """Forgets a computer: nothing happens on it, and the farm does not listen to it any more."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def __call__(self, name: ComputerName, revision: int | None = None) -> Computer:
        """Give it as it was.

        Raises ``ComputerUnknownError``, ``ComputerKillPendingError``, and ``ComputerChangedError``
        as an approval does.
        """
        return forget(self._transactions, name, ComputerEvent.DELETE, revision)


def forget(
    transactions: Transactions, name: ComputerName, event: ComputerEvent, revision: int | None
) -> Computer:
    """Have the farm forget a computer if the table lets it."""
    with transactions.writing() as records:
        seen = records.computers.get(name)
        if revision not in (None, seen.revision):
            raise ComputerChangedError(name)
        seen.next_state(event)
        records.computers.remove(seen.id)
    return seen
