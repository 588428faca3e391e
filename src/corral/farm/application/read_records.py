"""Read every record with this release's own code: whether it makes of them what it should."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from corral.farm.domain.access.audit import AuditFilter

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from corral.farm.application.ports.backups import DatabaseSnapshots
    from corral.farm.application.ports.records import Records, Transactions

_NEWEST_ENTRIES = 1000
"""Of the audit log: it may be of any length, and its rows are read as such."""


@dataclass(frozen=True)
class ReadFarm:
    """What was read."""

    schema: str
    rows: Mapping[str, int]
    """Of each table."""
    things: int
    """What became of them: servers, devices, tasks …"""


class ReadRecords:
    """Reads all rows of all tables, and makes of them what the verbs of this release work on."""

    def __init__(self, transactions: Transactions, snapshots: DatabaseSnapshots) -> None:
        self._transactions = transactions
        self._snapshots = snapshots

    def __call__(self) -> ReadFarm:
        """Read; raises what a row raises that this release cannot read, and ``FarmUnknownError``.

        Changes nothing.
        """
        with self._snapshots.taken() as snapshot:
            for _ in snapshot.members():
                pass
            schema, rows = snapshot.schema, dict(snapshot.rows)
        with self._transactions.reading() as records:
            records.farm.get()
            things = 1 + sum(len(read()) for read in readers(records)) + _parts(records)
        return ReadFarm(schema, rows, things)


def readers(records: Records) -> Iterator[Callable[[], Collection[object]]]:
    """Give what reads all things of a kind, for each kind that is read at once."""
    yield from (
        records.accounts.all,
        records.groups.all,
        records.role_grants.all,
        records.access_tokens.all,
        records.sites.all,
        records.collections.all,
        records.stores.all,
        records.servers.all,
        records.images.all,
        records.versions.all,
        records.replicas.all,
        records.devices.all,
        records.sessions.all,
        records.device_caches.all,
        records.overlays.all,
        records.places.all,
        records.affinities.all,
        records.tasks.active,
        records.schedules.all,
        records.workers.all,
        records.backups.all,
        records.library_items.all,
        records.publishers.all,
        records.rollouts.all,
        records.kit_assignments.all,
        records.users.all,
        records.user_groups.all,
        records.image_assignments.all,
        records.image_policies.all,
        records.computers.all,
        records.registration_codes.all,
        records.check_ins.all,
        records.computer_orders.all,
        records.upgrades.all,
        records.canaries.all,
        records.acceptances.all,
        records.consoles.all,
        records.observations.all,
    )


def _parts(records: Records) -> int:
    """Read what there is one of, and what is found by what it belongs to; count the latter."""
    records.balance.get()
    records.task_rules.get()
    records.backup_rules.get()
    records.library_rules.get()
    records.restorations.find()
    return (
        len(records.audit.newest(AuditFilter(), _NEWEST_ENTRIES))
        + sum(len(records.blueprints.of_upgrade(one.number)) for one in records.upgrades.all())
        + sum(records.release_orders.find(one.id) is not None for one in records.servers.all())
    )
