"""What the farm remembers of computers: who they are, what they said, and what they were told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from corral.farm.domain.access.token import TokenDigest
    from corral.farm.domain.computer.check_in import CheckIn, ComputerNews, GivenOrders
    from corral.farm.domain.computer.code import RegistrationCode, RegistrationCodeId
    from corral.farm.domain.computer.computer import Computer, ComputerId, ComputerName
    from corral.farm.domain.computer.user import UserId
    from corral.farm.domain.estate.collection import CollectionId


class Computers(Protocol):
    """The computers with their users."""

    def add(self, computer: Computer) -> None:
        """Add one; raises ``ComputerNameTakenError``, ``ComputerKeyTakenError``."""
        ...

    def get(self, name: ComputerName) -> Computer:
        """Give the one of that name; raises ``ComputerUnknownError``."""
        ...

    def find(self, name: ComputerName) -> Computer | None:
        """Give the one of that name, if there is one."""
        ...

    def with_id(self, computer_id: ComputerId) -> Computer:
        """Give the one with that id; raises ``ComputerUnknownError``."""
        ...

    def with_key(self, public_key: bytes) -> Computer | None:
        """Give the one that has that key, if there is one."""
        ...

    def in_collection(self, collection_id: CollectionId) -> Sequence[Computer]:
        """Give those of a collection, in the order of names."""
        ...

    def of_user(self, user_id: UserId) -> Sequence[Computer]:
        """Give those of a user, in the order of names."""
        ...

    def count_waiting(self) -> int:
        """Give how many wait for approval."""
        ...

    def all(self) -> Sequence[Computer]:
        """Give all of them, in the order of names."""
        ...

    def change(self, seen: Computer, after: Computer) -> Computer:
        """Put ``after`` in the place of ``seen``, and give it with its new revision.

        Its key stays. Raises ``ComputerChangedError`` if it was changed since it was seen,
        ``ComputerUnknownError`` if it is gone.
        """
        ...

    def remove(self, computer_id: ComputerId) -> None:
        """Forget it, and all that it said and was told."""
        ...


class RegistrationCodes(Protocol):
    """The one-time codes, those among them that work no more."""

    def add(self, code: RegistrationCode) -> None:
        """Add one."""
        ...

    def with_id(self, code_id: RegistrationCodeId) -> RegistrationCode:
        """Give the one with that id; raises ``RegistrationCodeUnknownError``."""
        ...

    def with_digest(self, digest: TokenDigest) -> RegistrationCode | None:
        """Give the one of that digest."""
        ...

    def all(self) -> Sequence[RegistrationCode]:
        """Give all of them, the oldest first."""
        ...

    def set_uses_left(self, code_id: RegistrationCodeId, uses: int) -> None:
        """Remember how many computers it still registers."""
        ...

    def remove(self, code_id: RegistrationCodeId) -> None:
        """Forget it."""
        ...

    def forget_expired(self, before: datetime) -> None:
        """Forget those that were over before a moment."""
        ...


class CheckIns(Protocol):
    """What computers last said of themselves."""

    def put(self, check_in: CheckIn) -> None:
        """Put it in the place of what the computer said before."""
        ...

    def find(self, computer_id: ComputerId) -> CheckIn | None:
        """Give what a computer last said, if it ever said anything."""
        ...

    def all(self) -> Sequence[CheckIn]:
        """Give what each last said, in the order of their ids."""
        ...


class ComputerEvents(Protocol):
    """What happened on computers, as they tell it."""

    def note(self, computer_id: ComputerId, news: Sequence[ComputerNews]) -> None:
        """Keep what is not known yet, and of each computer only the newest ``EVENTS_KEPT``."""
        ...

    def of_computer(self, computer_id: ComputerId) -> Sequence[ComputerNews]:
        """Give those of a computer, the newest first."""
        ...


class ComputerOrders(Protocol):
    """What computers were last told."""

    def put(self, given: GivenOrders) -> None:
        """Put it in the place of what the computer was told before."""
        ...

    def find(self, computer_id: ComputerId) -> GivenOrders | None:
        """Give what a computer was last told, if it ever was."""
        ...

    def all(self) -> Sequence[GivenOrders]:
        """Give what each was last told, in the order of their ids."""
        ...
