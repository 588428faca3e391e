"""What the farm remembers of its collections."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from corral.farm.domain.estate.collection import Collection, CollectionId, CollectionName


class Collections(Protocol):
    """The collections; the one that the farm begins with is there from the start."""

    def add(self, collection: Collection) -> None:
        """Add one; raises ``CollectionNameTakenError``."""
        ...

    def get(self, name: CollectionName) -> Collection:
        """Give the one of that name; raises ``CollectionUnknownError``."""
        ...

    def with_id(self, collection_id: CollectionId) -> Collection:
        """Give the one with that id; raises ``CollectionUnknownError``."""
        ...

    def all(self) -> Sequence[Collection]:
        """Give all of them, in the order of names."""
        ...

    def change(self, seen: Collection, after: Collection) -> Collection:
        """Put ``after`` in the place of ``seen``, and give it with its new revision.

        Raises ``CollectionChangedError`` if it was changed since it was seen,
        ``CollectionUnknownError`` if it is gone, ``CollectionNameTakenError``.
        """
        ...

    def remove(self, collection_id: CollectionId) -> None:
        """Forget it; the caller has seen that nothing belongs to it."""
        ...
