"""Change the farm itself."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from corral.farm.application.edits import KEEP, Edit, edited
from corral.farm.domain.estate.farm import FarmChangedError

if TYPE_CHECKING:
    from corral.farm.application.ports.records import Transactions
    from corral.farm.domain.estate.farm import ApiUrl, Farm, FarmName


@dataclass(frozen=True)
class FarmEdit:
    """What is to be different."""

    name: Edit[FarmName] = KEEP
    api_urls: Edit[tuple[ApiUrl, ...]] = KEEP


class ChangeFarm:
    """Renames it, says where its API is reached. Servers learn that with their configuration."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def __call__(self, edit: FarmEdit, revision: int | None = None) -> Farm:
        """Give the farm as it is now.

        Raises ``FarmChangedError`` if ``revision`` is given and is not that of the farm any more.
        """
        with self._transactions.writing() as records:
            seen = records.farm.get()
            if revision not in (None, seen.revision):
                raise FarmChangedError(seen.name)
            after = replace(seen, name=edited(edit.name, seen.name))
            urls = edited(edit.api_urls, seen.api_urls)
            if urls != seen.api_urls:
                after = after.reached_at(urls)
            if after == seen:
                return seen
            records.farm.change(seen, after)
            records.farm.raise_generation()
            return records.farm.get()
