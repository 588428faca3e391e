"""Take a computer that asks to be registered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from corral.farm.domain.computer.check_in import CheckIn, SeenKit
from corral.farm.domain.computer.code import Code
from corral.farm.domain.computer.computer import (
    WAITING_AT_MOST,
    Computer,
    ComputerId,
    public_key,
)
from corral.farm.domain.computer.errors import (
    ComputerKilledError,
    ComputerNameTakenError,
    ComputerSignatureError,
    ComputersWaitError,
    RegistrationCodeWrongError,
)
from corral.farm.domain.computer.state import ComputerState
from corral.farm.domain.computer.user import user_name
from corral.farm.domain.errors import DomainError, UnknownThingError
from corral.farm.domain.estate.collection import FIRST_COLLECTION

if TYPE_CHECKING:
    from datetime import datetime

    from corral.farm.application.ports.certificates import CertificateAuthority
    from corral.farm.application.ports.farm_key import SignatureCheck
    from corral.farm.application.ports.records import Records, Transactions
    from corral.farm.application.ports.sources import Clock, IdSource
    from corral.farm.domain.computer.check_in import SeenEngine
    from corral.farm.domain.computer.code import RegistrationCode
    from corral.farm.domain.computer.computer import ComputerName
    from corral.farm.domain.computer.user import UserId
    from corral.farm.domain.estate.farm import Farm


@dataclass(frozen=True)
class AskedRegistration:
    """What a computer that nobody knows says of itself."""

    name: ComputerName
    public_key: bytes
    engine: SeenEngine
    code: str | None = None
    user: str | None = None
    address: str = ""


@dataclass(frozen=True)
class Registered:
    """What a computer is told when it has asked."""

    computer: Computer
    farm: Farm
    certificate_authority: str


class RegisterComputer:
    """Registers a computer at once if it has a code, else lets it wait for an administrator.

    Who asks again, with the same key, is told how it stands by now.
    """

    def __init__(
        self,
        transactions: Transactions,
        is_signed: SignatureCheck,
        authority: CertificateAuthority,
        ids: IdSource,
        clock: Clock,
    ) -> None:
        self._transactions = transactions
        self._is_signed = is_signed
        self._authority = authority
        self._ids = ids
        self._clock = clock

    def __call__(self, asked: AskedRegistration, message: bytes, signature: bytes) -> Registered:
        """Give how it stands; ``message`` is what the key that it names has signed.

        Raises ``ComputerKeyInvalidError``, ``ComputerSignatureError``, ``ComputerKilledError``,
        ``ComputerNameTakenError``, ``ComputersWaitError``, ``RegistrationCodeWrongError``.
        """
        if not self._is_signed(public_key(asked.public_key), message, signature):
            raise ComputerSignatureError
        now = self._clock.now()
        with self._transactions.writing() as records:
            known = records.computers.with_key(asked.public_key)
            if known is not None and known.state is ComputerState.KILLED:
                raise ComputerKilledError(known.name)
            if known is not None and known.state is ComputerState.RECYCLED:
                records.computers.remove(known.id)
                known = None
            is_waiting = known is not None and known.state is ComputerState.WAITING
            if known is None or (is_waiting and asked.code is not None):
                known = self._registered(records, known, asked, now)
            farm = records.farm.get()
        return Registered(known, farm, self._authority.root(farm))

    def _registered(
        self, records: Records, waiting: Computer | None, asked: AskedRegistration, now: datetime
    ) -> Computer:
        code = None if asked.code is None else _working_code(records, asked.code, now)
        if waiting is not None:
            records.computers.remove(waiting.id)
        self._make_room(records, asked.name, has_code=code is not None)
        computer = Computer(
            # One that is known by another id cannot be taken for the one before.
            id=ComputerId(self._ids.new()),
            name=asked.name,
            public_key=asked.public_key,
            state=ComputerState.WAITING if code is None else ComputerState.REGISTERED,
            asked_at=now,
            asked_for=asked.user or "",
            collection_id=FIRST_COLLECTION.id if code is None else code.collection_id,
            users=frozenset() if code is None else _users(records, code, asked.user),
            registered_at=None if code is None else now,
        )
        records.computers.add(computer)
        records.check_ins.put(
            CheckIn(
                computer.id,
                sequence=0,
                at=now,
                engine=asked.engine,
                kit=SeenKit(asked.engine.release),
                address=asked.address,
            )
        )
        if code is not None:
            records.registration_codes.set_uses_left(code.id, code.uses_left - 1)
        return computer

    @staticmethod
    def _make_room(records: Records, name: ComputerName, *, has_code: bool) -> None:
        """Take the name from one that has no right to it any more, or not yet."""
        other = records.computers.find(name)
        if other is not None:
            gives_way = other.state is ComputerState.RECYCLED or (
                other.state is ComputerState.WAITING and has_code
            )
            if not gives_way:
                raise ComputerNameTakenError(name)
            records.computers.remove(other.id)
        if not has_code and records.computers.count_waiting() >= WAITING_AT_MOST:
            raise ComputersWaitError(WAITING_AT_MOST)


def _working_code(records: Records, text: str, now: datetime) -> RegistrationCode:
    code = records.registration_codes.with_digest(Code(text).digest())
    if code is None or not code.works(now):
        raise RegistrationCodeWrongError
    try:
        records.collections.with_id(code.collection_id)
    except UnknownThingError:
        raise RegistrationCodeWrongError from None
    return code


def _users(records: Records, code: RegistrationCode, named: str | None) -> frozenset[UserId]:
    """Give whose computer it is: whom the code is for, else whom it names and we know."""
    if code.user_id is not None:
        return frozenset({code.user_id})
    user = user_named(records, named)
    return frozenset() if user is None else frozenset({user})


def user_named(records: Records, text: str | None) -> UserId | None:
    """Give the user that a computer names, if there is one."""
    try:
        user = None if not text else records.users.find(user_name(text))
    except DomainError:
        return None
    return None if user is None else user.id
