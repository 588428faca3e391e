"""Recognise a device by its key."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from datetime import timedelta
from threading import Lock
from typing import TYPE_CHECKING, Final

from corral.farm.domain.access.actor import Actor, ActorKind
from corral.farm.domain.access.audit import Entry
from corral.farm.domain.access.token import NOBODYS_DIGEST, TokenDigest, TokenWrongError
from corral.farm.domain.delivery.errors import DeviceIdentityError

if TYPE_CHECKING:
    from datetime import datetime

    from corral.farm.application.ports.records import Transactions
    from corral.farm.application.ports.sources import Clock
    from corral.farm.domain.access.token import Token
    from corral.farm.domain.delivery.device import Device, DeviceId, DeviceName

REFUSED: Final = "device.identity-refused"
Later = Callable[[Callable[[], None]], None]
"""Does some work, now or when nobody waits for it."""

_TOLD_AGAIN_AFTER: Final = timedelta(hours=1)
_REMEMBERED: Final = 1024


def _at_once(work: Callable[[], None]) -> None:
    work()


class RecogniseDevice:
    """Tells whether a caller is the device that it says it is.

    Who is not is noted in the audit log, once an hour for each name and address: a device that goes
    on trying must not fill it.
    """

    def __init__(self, transactions: Transactions, clock: Clock) -> None:
        self._transactions = transactions
        self._clock = clock
        self._told: OrderedDict[tuple[str, str], datetime] = OrderedDict()
        self._lock = Lock()

    def __call__(
        self, name: DeviceName, key: Token, address: str = "", later: Later = _at_once
    ) -> DeviceId:
        """Give the device's id; ``later`` does what an answer shall not be kept waiting for.

        Raises ``DeviceIdentityError`` for the key of another device, whether there is one of that
        name or not; else ``TokenWrongError`` for an unknown device and for a wrong key alike, so
        that nobody can find out by guessing which devices there are.
        """
        with self._transactions.reading() as records:
            device = records.devices.find(name)
            known = TokenDigest(NOBODYS_DIGEST) if device is None else device.key_digest
            is_its_key = known.matches(key)
            if device is not None and is_its_key:
                return device.id
            owner = records.devices.with_key(key.digest())
        later(lambda: self._note(device, owner, address))
        if owner is not None:
            raise DeviceIdentityError(name)
        whose = "device"
        raise TokenWrongError(whose)

    def _note(self, claimed: Device | None, owner: Device | None, address: str) -> None:
        # A name that nobody has is not noted as it was given: anybody can give any.
        thing = "(no such device)" if claimed is None else str(claimed.name)
        if claimed is None and owner is None:
            return
        if owner is None:
            actor = Actor(ActorKind.NOBODY, "", address)
        else:
            actor = Actor(ActorKind.DEVICE, owner.name, address)
        now = self._clock.now()
        if not self._is_news((f"{actor} as {thing}", address), now):
            return
        with self._transactions.writing() as records:
            records.audit.note(Entry(now, actor, REFUSED, thing))

    def _is_news(self, key: tuple[str, str], now: datetime) -> bool:
        with self._lock:
            told = self._told.pop(key, None)
            is_news = told is None or now - told >= _TOLD_AGAIN_AFTER
            self._told[key] = now if told is None or is_news else told
            if len(self._told) > _REMEMBERED:
                self._told.popitem(last=False)
            return is_news
