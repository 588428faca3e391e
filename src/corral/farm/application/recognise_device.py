"""Recognise a device by its key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corral.farm.domain.access.token import TokenWrongError

if TYPE_CHECKING:
    from corral.farm.application.ports.records import Transactions
    from corral.farm.domain.access.token import Token
    from corral.farm.domain.delivery.device import DeviceId, DeviceName


class RecogniseDevice:
    """Tells whether a caller is the device that it says it is."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def __call__(self, name: DeviceName, key: Token) -> DeviceId:
        """Give the device's id.

        Raises ``TokenWrongError`` for an unknown device and for a wrong key alike, so that nobody
        can find out by guessing which devices there are.
        """
        with self._transactions.reading() as records:
            device = records.devices.find(name)
        if device is None or not device.key_digest.matches(key):
            msg = "device"
            raise TokenWrongError(msg)
        return device.id
