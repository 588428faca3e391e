"""Record as deleted what no store has any more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corral.farm.domain.image.standing import VersionEvent
from corral.farm.domain.image.version import VersionState

if TYPE_CHECKING:
    from corral.farm.application.ports.records import Records
    from corral.farm.domain.image.root import RootHash


def complete_deletions(records: Records, root: RootHash) -> None:
    """End the deletion of versions with ``root`` once no server has to forget it any more.

    That is so when the last server has, or when another version is published with the same root:
    then the content stays, and only the deleted version's name is gone.
    """
    versions = records.versions.with_root(root)
    if records.replicas.of_root(root) and not any(version.is_published for version in versions):
        return
    for version in versions:
        if version.state is VersionState.DELETING:
            records.versions.move(version, version.after(VersionEvent.STORES_CLEARED))
