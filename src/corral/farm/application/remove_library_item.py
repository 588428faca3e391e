"""Take something out of the library."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from corral.farm.application.assign_kit import refuse_if_used
from corral.farm.application.delete_version import DeleteVersion
from corral.farm.domain.image.version import VersionState
from corral.farm.domain.library.item import ItemEvent

if TYPE_CHECKING:
    from corral.farm.application.delete_version import Deletion
    from corral.farm.application.ports.chunk_stores import ChunkStores
    from corral.farm.application.ports.image_locks import ImageLocks
    from corral.farm.application.ports.records import Transactions
    from corral.farm.application.ports.sources import Clock
    from corral.farm.domain.library.item import Item, ItemName


@dataclass(frozen=True)
class Removal:
    """What was taken out, and who still has to forget it."""

    item: Item
    deletion: Deletion | None
    """Of the version that it was; none if it never became one."""


class RemoveLibraryItem:
    """Deletes the version that it became, and forgets it.

    Killed in between, it is simply asked for again.
    """

    def __init__(
        self,
        transactions: Transactions,
        stores: ChunkStores,
        locks: ImageLocks,
        clock: Clock,
        by: str = "",
    ) -> None:
        self._transactions = transactions
        self._delete = DeleteVersion(transactions, stores, locks, clock, by)

    def __call__(self, name: ItemName) -> Removal:
        """Remove it; raises ``ItemUnknownError``, ``ItemInUseError``, ``ImageBusyError``."""
        with self._transactions.reading() as records:
            item = records.library_items.get(name)
            item.after(ItemEvent.REMOVE)
            refuse_if_used(records, item)
            version = None if item.version is None else records.versions.get(item.version)
        deletion = None
        if version is not None and version.state is not VersionState.DELETED:
            deletion = self._delete(version.name, of_library=True)
        with self._transactions.writing() as records:
            known = records.library_items.get(name)
            refuse_if_used(records, known)
            records.library_items.remove(known.id)
        return Removal(item, deletion)
