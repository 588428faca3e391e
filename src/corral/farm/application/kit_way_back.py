"""Where computers can go back to from a kit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corral.farm.domain.library.item import ItemState

if TYPE_CHECKING:
    from corral.farm.application.ports.records import Records
    from corral.farm.domain.library.item import Item


def way_back(records: Records, item: Item) -> Item | None:
    """Give the newest kit that computers can go back to from this one; none if there is none."""
    if item.kit is None or item.kit.manifest.upgrades.back_to is None:
        return None
    manifest, oldest = item.kit.manifest, item.kit.manifest.upgrades.back_to
    found = [
        (other.kit.manifest.release, other)
        for other in records.library_items.all()
        if other.kit is not None
        and other.state is ItemState.AVAILABLE
        and other.kit.manifest.component is manifest.component
        and oldest <= other.kit.manifest.release < manifest.release
    ]
    return max(found, key=lambda one: one[0])[1] if found else None
