"""Hear a computer, and tell it what should be on it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from corral.farm.application.computer_plans import Orderer, assigned_to_all
from corral.farm.application.computers_ahead import version_names, was_ordered_since
from corral.farm.application.note_releases import note_releases
from corral.farm.application.rollout_courses import Courses, Roll
from corral.farm.domain.access.ticket import Purpose, Ticket, fetch_expiry
from corral.farm.domain.backup.errors import FarmObservesError
from corral.farm.domain.computer.check_in import GivenOrders
from corral.farm.domain.computer.errors import (
    CheckInForeignError,
    CheckInReplayedError,
    ComputerAheadError,
    ComputerKilledError,
    ComputerSignatureError,
)
from corral.farm.domain.computer.state import ComputerEvent
from corral.farm.domain.computer.taking import takings
from corral.farm.domain.errors import TryAgainError, UnknownThingError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from corral.farm.application.ports.certificates import CertificateAuthority
    from corral.farm.application.ports.farm_key import FarmKey, SignatureCheck
    from corral.farm.application.ports.records import Records, Transactions
    from corral.farm.application.ports.sources import Clock
    from corral.farm.domain.computer.check_in import CheckIn, ComputerNews
    from corral.farm.domain.computer.computer import Computer, ComputerId
    from corral.farm.domain.computer.orders import Orders
    from corral.farm.domain.estate.farm import Farm, FarmId
    from corral.farm.domain.image.root import RootHash

NOBODYS_KEY: Final = bytes(32)
"""Compared with where there is no computer, so that this takes no less time."""


@dataclass(frozen=True)
class FetchTicket:
    """What opens one root, and the chunks below it."""

    root: RootHash
    ticket: str


@dataclass(frozen=True)
class ToldOrders:
    """What a computer is told, and as the how manieth."""

    farm: Farm
    orders: Orders
    epoch: int
    """Rises when the farm is restored from a backup: what was counted since is not known to it."""
    generation: int
    """Rises when the orders say something else."""
    issued_at: datetime
    tickets: tuple[FetchTicket, ...]


class RecogniseComputer:
    """Tells whether a computer signed what it is said to have said."""

    def __init__(self, transactions: Transactions, is_signed: SignatureCheck) -> None:
        self._transactions = transactions
        self._is_signed = is_signed

    def __call__(self, computer_id: ComputerId, message: bytes, signature: bytes) -> Computer:
        """Give the computer.

        Raises ``ComputerSignatureError`` for a computer that is not known and for a wrong signature
        alike, ``ComputerKilledError`` only to the computer itself.
        """
        known = None
        with self._transactions.reading() as records, suppress(UnknownThingError):
            known = records.computers.with_id(computer_id)
        key = NOBODYS_KEY if known is None else known.public_key
        if not self._is_signed(key, message, signature) or known is None:
            raise ComputerSignatureError
        if not known.is_heard:
            raise ComputerKilledError(known.name)
        return known


class TakeCheckIn:
    """Keeps what a computer says, and gives what it is told.

    The caller has recognised it (``RecogniseComputer``).
    """

    def __init__(
        self,
        transactions: Transactions,
        key: FarmKey,
        authority: CertificateAuthority,
        clock: Clock,
    ) -> None:
        self._transactions = transactions
        self._key = key
        self._authority = authority
        self._clock = clock

    def __call__(
        self,
        farm_id: FarmId,
        said: CheckIn,
        news: Sequence[ComputerNews] = (),
        *,
        has_erased_itself: bool = False,
    ) -> ToldOrders:
        """Give the orders.

        ``said.at`` is by the computer's own clock, and is kept as how far that is off.

        Raises ``CheckInForeignError``, ``CheckInReplayedError``, ``ComputerKilledError``,
        ``ComputerUnknownError`` if it was forgotten since it was recognised. After a restoration
        also ``FarmObservesError`` and ``ComputerAheadError``: then what it says is remembered, and
        it goes on with the orders that it has.
        """
        now = self._clock.now()
        offset = round((said.at - now) / timedelta(milliseconds=1))
        said = replace(said, at=now, clock_offset_ms=offset)
        with self._transactions.writing() as records:
            farm = records.farm.get()
            if farm.id != farm_id:
                raise CheckInForeignError
            computer = records.computers.with_id(said.computer_id)
            if not computer.is_heard:
                raise ComputerKilledError(computer.name)
            before = records.check_ins.find(computer.id)
            if before is not None and said.sequence <= before.sequence:
                raise CheckInReplayedError(before.sequence)
            # Kept also if it is told nothing. Its news it says again until it is.
            records.check_ins.put(said)
            try:
                _refuse_orders(records, computer, said, now)
            except TryAgainError as error:
                refusal = error
            else:
                records.computer_events.note(computer.id, news)
                computer = _settled(records, computer, now, has_erased_itself=has_erased_itself)
                return self._told(records, farm, computer, said, now)
        raise refusal

    def _told(
        self, records: Records, farm: Farm, computer: Computer, said: CheckIn, now: datetime
    ) -> ToldOrders:
        courses = Courses(records, now)
        if courses.rollouts:
            courses.hear(computer, said)
            courses.look_around(lambda: Roll(records, assigned_to_all(records, now)))
        orderer = Orderer.for_one(records, computer, now, courses)
        for image_id in orderer.images:
            # What a computer was told is released stays so, whatever becomes of servers.
            note_releases(records, records.versions.of_image(image_id), now)
        is_relayed = bool(orderer.relays(computer))
        orders = of_this_farm(orderer(computer, said), farm, self._authority)
        courses.note_offers(computer, said, orders)
        return ToldOrders(
            farm=farm,
            orders=orders,
            epoch=epoch_of(records),
            generation=_note(records, orders, now),
            issued_at=now,
            tickets=tuple(
                self._ticket(computer, root, fetch_expiry(now, is_relayed=is_relayed))
                for root in orders.roots
            ),
        )

    def _ticket(self, computer: Computer, root: RootHash, expires_at: datetime) -> FetchTicket:
        ticket = Ticket(Purpose.FETCH, computer.id, expires_at, root)
        return FetchTicket(root, ticket.sealed(self._key.sign(ticket.message())))


def _refuse_orders(records: Records, computer: Computer, said: CheckIn, now: datetime) -> None:
    """Raise what speaks against ordering anything, the farm having been restored."""
    restoration = records.restorations.find()
    if restoration is None:
        return
    if restoration.accepted_at is None:
        raise FarmObservesError
    if not was_ordered_since(records, computer.id, restoration):
        orders = Orderer.for_one(records, computer, now, Courses(records, now))(computer, said)
        taken = takings(said, orders, version_names(records))
        if taken:
            raise ComputerAheadError(computer.name, "; ".join(map(str, taken)))


def of_this_farm(orders: Orders, farm: Farm, authority: CertificateAuthority) -> Orders:
    """Give orders with what every computer of the farm is told."""
    urls = tuple(dict.fromkeys((*orders.api_urls, *farm.api_urls)))
    return replace(orders, api_urls=urls, certificate_authority=authority.root(farm))


def epoch_of(records: Records) -> int:
    """Give what rises with each restoration: a number that was kept would be restored, too."""
    restoration = records.restorations.find()
    return 0 if restoration is None else int(restoration.restored_at.timestamp())


def _settled(
    records: Records, seen: Computer, now: datetime, *, has_erased_itself: bool
) -> Computer:
    """Note that it is told to erase itself, or that it has."""
    if not seen.erases:
        return seen
    after = seen.told(now)
    if has_erased_itself:
        after = after.after(ComputerEvent.ERASED, now)
    return seen if after == seen else records.computers.change(seen, after)


def _note(records: Records, orders: Orders, now: datetime) -> int:
    """Remember what is told; give its generation."""
    digest = orders.digest()
    before = records.computer_orders.find(orders.computer_id)
    if before is not None and before.digest == digest:
        records.computer_orders.put(replace(before, given_at=now))
        return before.generation
    generation = 1 if before is None else before.generation + 1
    records.computer_orders.put(
        GivenOrders(orders.computer_id, generation, digest, now, now, frozenset(orders.roots))
    )
    return generation
