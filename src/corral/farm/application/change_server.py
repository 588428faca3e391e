"""Change a server."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from corral.farm.application.edits import KEEP, Edit, Keep, edited
from corral.farm.application.note_releases import note_releases
from corral.farm.application.spread_versions import spread_versions
from corral.farm.domain.estate.errors import ServerChangedError

if TYPE_CHECKING:
    from corral.farm.application.ports.records import Records, Transactions
    from corral.farm.application.ports.sources import Clock
    from corral.farm.domain.estate.address import Address
    from corral.farm.domain.estate.capacity import DeviceLimit, PowerRating
    from corral.farm.domain.estate.server import Server, ServerName
    from corral.farm.domain.estate.site import SiteName
    from corral.farm.domain.estate.store import StoreName
    from corral.farm.domain.estate.subnet import Subnet


@dataclass(frozen=True)
class ServerEdit:
    """What is to be different.

    Where it listens and where its folder is stand in the file that its stream process starts from:
    for another one of those, a server is added anew.
    """

    site: Edit[SiteName] = KEEP
    store: Edit[StoreName] = KEEP
    description: Edit[str] = KEEP
    advertised: Edit[tuple[Address, ...]] = KEEP
    chunks_advertised: Edit[Address] = KEEP
    management: Edit[Address | None] = KEEP
    power_rating: Edit[PowerRating] = KEEP
    max_devices: Edit[DeviceLimit | None] = KEEP
    max_devices_booting: Edit[DeviceLimit | None] = KEEP
    maintenance: Edit[bool] = KEEP
    subnets: Edit[tuple[Subnet, ...]] = KEEP
    relay: Edit[bool] = KEEP


class ChangeServer:
    """Says what a server can bear, where it is reached, and where it belongs."""

    def __init__(self, transactions: Transactions, clock: Clock) -> None:
        self._transactions = transactions
        self._clock = clock

    def __call__(self, name: ServerName, edit: ServerEdit, revision: int | None = None) -> Server:
        """Give the server as it is now.

        Raises ``ServerUnknownError``, ``SiteUnknownError``, ``StoreUnknownError``,
        ``StoreTakenError``, ``AddressUnreachableError``, ``RelayNeedsManagementError``, and
        ``ServerChangedError`` if ``revision`` is given and is not that of the server any more.
        """
        with self._transactions.writing() as records:
            seen = records.servers.get(name)
            if revision not in (None, seen.revision):
                raise ServerChangedError(name)
            after = _edited(records, seen, edit)
            if after == seen:
                return seen
            now = self._clock.now()
            # What is due as the server is stays so, although it comes back with gaps.
            note_releases(records, records.versions.all(), now)
            changed = records.servers.change(seen, after)
            # The others learn where they get chunks, and who gives them none.
            records.farm.raise_generation()
            # It may have come to another store, or back from maintenance.
            spread_versions(records, now)
            # No release waits for a server under maintenance.
            roots = {replica.root for replica in records.replicas.of_server(changed.id)}
            for root in sorted(roots, key=lambda root: root.hex):
                note_releases(records, records.versions.with_root(root), now)
            return changed


def _edited(records: Records, seen: Server, edit: ServerEdit) -> Server:
    site_id, store_id = seen.site_id, seen.store.belongs_to
    if edit.site is not Keep.KEEP:
        site_id = records.sites.get(edit.site).id
    if edit.store is not Keep.KEEP:
        store_id = records.stores.get(edit.store).id
    advertised = edited(edit.advertised, seen.advertised) or seen.listen
    management = edited(edit.management, seen.management)
    return replace(
        seen,
        site_id=site_id,
        store=replace(seen.store, belongs_to=store_id),
        description=edited(edit.description, seen.description),
        advertised=tuple(address.reachable() for address in advertised),
        chunks_advertised=edited(edit.chunks_advertised, seen.chunks_advertised).reachable(),
        management=None if management is None else management.reachable(),
        power_rating=edited(edit.power_rating, seen.power_rating),
        max_devices=edited(edit.max_devices, seen.max_devices),
        max_devices_booting=edited(edit.max_devices_booting, seen.max_devices_booting),
        maintenance=edited(edit.maintenance, seen.maintenance),
        subnets=edited(edit.subnets, seen.subnets),
        relay=edited(edit.relay, seen.relay),
    )
