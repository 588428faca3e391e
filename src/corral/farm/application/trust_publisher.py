"""Say whose kits the farm believes."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from corral.farm.domain.library.errors import PublisherInUseError
from corral.farm.domain.library.kit import KeyId, Publisher, PublisherId
from corral.farm.domain.naming import some_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from corral.farm.application.ports.records import Transactions
    from corral.farm.application.ports.sources import Clock, IdSource
    from corral.farm.domain.library.kit import PublisherName


class TrustPublisher:
    """Adds a publisher."""

    def __init__(self, transactions: Transactions, ids: IdSource, clock: Clock) -> None:
        self._transactions = transactions
        self._ids = ids
        self._clock = clock

    def __call__(self, name: PublisherName, public_key: bytes) -> Publisher:
        """Believe kits that this key signed from now on; raises ``PublisherTakenError``."""
        publisher = Publisher(
            PublisherId(self._ids.new()),
            name,
            public_key,
            KeyId(hashlib.sha256(public_key).hexdigest()),
            self._clock.now(),
        )
        with self._transactions.writing() as records:
            records.publishers.add(publisher)
        return publisher


class DistrustPublisher:
    """Takes a publisher away."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def __call__(self, name: PublisherName) -> Publisher:
        """Believe their kits no more; raises ``PublisherUnknownError``, ``PublisherInUseError``."""
        with self._transactions.writing() as records:
            publisher = records.publishers.get(name)
            theirs = [
                str(item.name)
                for item in records.library_items.all()
                if item.publisher == publisher.fingerprint
            ]
            if theirs:
                raise PublisherInUseError(name, some_of(theirs))
            records.publishers.remove(publisher.id)
        return publisher


class ListPublishers:
    """Gives whose kits are believed."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def __call__(self) -> Sequence[Publisher]:
        """Give them in the order of names."""
        with self._transactions.reading() as records:
            return records.publishers.all()
