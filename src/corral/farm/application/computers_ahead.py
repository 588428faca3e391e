"""Find computers from which a farm that was restored would take what it does not remember."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corral.farm.application.computer_plans import Orderer
from corral.farm.domain.backup.difference import SeenComputer
from corral.farm.domain.computer.taking import takings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from corral.farm.application.ports.backups import Restoration
    from corral.farm.application.ports.records import Records
    from corral.farm.domain.computer.computer import ComputerId
    from corral.farm.domain.image.root import RootHash
    from corral.farm.domain.image.version import VersionName


def computers_ahead(
    records: Records, restoration: Restoration, now: datetime
) -> Iterator[SeenComputer]:
    """Give those that were heard of since, and were given no orders since."""
    said = {one.computer_id: one for one in records.check_ins.all()}
    names = version_names(records)
    orderer = Orderer(records, now)
    for computer in records.computers.all():
        last = said.get(computer.id)
        if last is None or last.at < restoration.restored_at or not computer.is_heard:
            continue
        if not was_ordered_since(records, computer.id, restoration):
            taken = takings(last, orderer(computer, last), names)
            if taken:
                yield SeenComputer(
                    name=computer.name,
                    ordered="; ".join(one.ordered for one in taken),
                    runs="; ".join(one.runs for one in taken),
                    roots=frozenset(one.root for one in taken),
                )


def was_ordered_since(records: Records, computer: ComputerId, restoration: Restoration) -> bool:
    """Say whether the restored farm has told a computer anything."""
    given = records.computer_orders.find(computer)
    return given is not None and given.given_at >= restoration.restored_at


def version_names(records: Records) -> Mapping[RootHash, Sequence[VersionName]]:
    """Give the names of every root."""
    found: dict[RootHash, list[VersionName]] = {}
    for version in records.versions.all():
        found.setdefault(version.root, []).append(version.name)
    return found
