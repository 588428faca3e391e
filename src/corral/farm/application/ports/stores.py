"""What the farm remembers of its stores."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from corral.farm.domain.estate.store import Store, StoreId, StoreName


class Stores(Protocol):
    """The stores; the one that the farm begins with is there from the start."""

    def add(self, store: Store) -> None:
        """Add one; raises ``StoreNameTakenError``."""
        ...

    def get(self, name: StoreName) -> Store:
        """Give the one of that name; raises ``StoreUnknownError``."""
        ...

    def with_id(self, store_id: StoreId) -> Store:
        """Give the one with that id; raises ``StoreUnknownError``."""
        ...

    def all(self) -> Sequence[Store]:
        """Give all of them, in the order of names."""
        ...

    def change(self, seen: Store, after: Store) -> Store:
        """Put ``after`` in the place of ``seen``, and give it with its new revision.

        Raises ``StoreChangedError`` if it was changed since it was seen,
        ``StoreUnknownError`` if it is gone, ``StoreNameTakenError``.
        """
        ...

    def remove(self, store_id: StoreId) -> None:
        """Forget it; the caller has seen that nothing belongs to it."""
        ...
