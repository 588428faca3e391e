"""Change a collection."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from corral.farm.application.edits import KEEP, Edit, Keep, edited
from corral.farm.domain.estate.collection import CollectionChangedError

if TYPE_CHECKING:
    from corral.farm.application.ports.records import Transactions
    from corral.farm.domain.estate.collection import Collection, CollectionName
    from corral.farm.domain.estate.site import SiteName


@dataclass(frozen=True)
class CollectionEdit:
    """What is to be different."""

    name: Edit[CollectionName] = KEEP
    description: Edit[str] = KEEP
    site: Edit[SiteName] = KEEP


class ChangeCollection:
    """Renames it, describes it, or moves it to another site with all of its devices."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def __call__(
        self, name: CollectionName, edit: CollectionEdit, revision: int | None = None
    ) -> Collection:
        """Give the collection as it is now.

        Raises ``CollectionUnknownError``, ``CollectionNameTakenError``, ``SiteUnknownError``, and
        ``CollectionChangedError`` if ``revision`` is given and is not that of the collection any
        more.
        """
        with self._transactions.writing() as records:
            seen = records.collections.get(name)
            if revision not in (None, seen.revision):
                raise CollectionChangedError(name)
            site_id = seen.site_id
            if edit.site is not Keep.KEEP:
                site_id = records.sites.get(edit.site).id
            after = replace(
                seen,
                name=edited(edit.name, seen.name),
                description=edited(edit.description, seen.description),
                site_id=site_id,
            )
            return seen if after == seen else records.collections.change(seen, after)
