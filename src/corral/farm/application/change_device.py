"""Change a device."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from corral.farm.application.edits import KEEP, Edit, Keep, edited
from corral.farm.domain.delivery.errors import DeviceChangedError

if TYPE_CHECKING:
    from corral.farm.application.ports.records import Transactions
    from corral.farm.domain.delivery.device import Device, DeviceName, DeviceType, MacAddress
    from corral.farm.domain.estate.collection import CollectionName


@dataclass(frozen=True)
class DeviceEdit:
    """What is to be different. A device logs in under its name, which therefore stays."""

    mac: Edit[MacAddress] = KEEP
    collection: Edit[CollectionName] = KEEP
    type: Edit[DeviceType] = KEEP
    disabled: Edit[bool] = KEEP
    description: Edit[str] = KEEP


class ChangeDevice:
    """Says what the device is, where it belongs, and whether it may log in."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def __call__(self, name: DeviceName, edit: DeviceEdit, revision: int | None = None) -> Device:
        """Give the device as it is now.

        Raises ``DeviceUnknownError``, ``CollectionUnknownError``, ``MacTakenError``, and
        ``DeviceChangedError`` if ``revision`` is given and is not that of the device any more.
        """
        with self._transactions.writing() as records:
            seen = records.devices.get(name)
            if revision not in (None, seen.revision):
                raise DeviceChangedError(name)
            collection_id = seen.collection_id
            if edit.collection is not Keep.KEEP:
                collection_id = records.collections.get(edit.collection).id
            after = replace(
                seen,
                mac=edited(edit.mac, seen.mac),
                collection_id=collection_id,
                type=edited(edit.type, seen.type),
                disabled=edited(edit.disabled, seen.disabled),
                description=edited(edit.description, seen.description),
            )
            return seen if after == seen else records.devices.change(seen, after)
