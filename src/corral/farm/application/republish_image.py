"""Publish an image anew, with newer guest tools in it."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from corral.farm.application.choose_version import holding_server
from corral.farm.application.chunk_peers import peers_of
from corral.farm.application.older_tools import demand_older, kit_with_tools
from corral.farm.application.ports.guest_tools import ToolsWork
from corral.farm.application.publish_version import Publication, publish
from corral.farm.application.writers import refuse_in_maintenance
from corral.farm.domain.image.errors import ImageBusyError
from corral.farm.domain.image.republishing_errors import GuestToolsMissingError
from corral.farm.domain.image.version import Access, newest_published

if TYPE_CHECKING:
    from collections.abc import Callable

    from corral.farm.application.ports.certificates import CertificateAuthority
    from corral.farm.application.ports.chunk_stores import (
        ChunkStore,
        ChunkStores,
        ImportedDisk,
        Peers,
    )
    from corral.farm.application.ports.farm_key import FarmKey
    from corral.farm.application.ports.guest_tools import GuestTools
    from corral.farm.application.ports.image_locks import ImageLocks
    from corral.farm.application.ports.records import Records, Transactions
    from corral.farm.application.ports.sources import Clock
    from corral.farm.application.progress import Progress
    from corral.farm.domain.computer.policy import MachinePolicy
    from corral.farm.domain.estate.farm import FarmId
    from corral.farm.domain.estate.server import Server, ServerName
    from corral.farm.domain.image.image import ImageName
    from corral.farm.domain.image.republishing import OlderTools
    from corral.farm.domain.image.root import RootHash
    from corral.farm.domain.image.version import Version
    from corral.farm.domain.library.kit import KitFile


@dataclass(frozen=True)
class RepublishRequest:
    """What to publish anew, and for whom."""

    image: ImageName
    server: ServerName | None = None
    """Whose store is worked in; by default the first that holds the newest version."""
    to: Access = Access.TEST
    """Who may start it: by default those only that are staged."""
    also: Callable[[Records, Version], None] | None = None
    """Called in the transaction that publishes; what it raises undoes that."""


@dataclass(frozen=True)
class _Ground:
    """What it is built on, as it was when it began."""

    farm: FarmId
    older: OlderTools
    base: Version
    policy: MachinePolicy
    server: Server
    peers: Peers
    kit: RootHash
    medium: KitFile


class RepublishImage:
    """Has the image's own guest install the guest tools in force, and publishes its disk.

    Nothing of the farm changes before the last step, one transaction. Killed at any moment, it
    leaves no version, and its lock ends with its process.
    """

    def __init__(  # noqa: PLR0913 - one for each port
        self,
        *,
        transactions: Transactions,
        stores: ChunkStores,
        guest_tools: GuestTools,
        locks: ImageLocks,
        key: FarmKey,
        authority: CertificateAuthority,
        clock: Clock,
        release: str,
        by: str = "",
    ) -> None:
        self._transactions = transactions
        self._stores = stores
        self._guest_tools = guest_tools
        self._locks = locks
        self._key = key
        self._authority = authority
        self._clock = clock
        self._release = release
        self._by = by

    def __call__(
        self, request: RepublishRequest, progress: Progress, say: Callable[[str], None]
    ) -> Version:
        """Give the new version; ``say`` is told each step.

        Raises ``ImageUnknownError``, ``MaintenanceUnderWayError``, ``RepublishNeedlessError``,
        ``GuestToolsMissingError``, ``VersionNotHeldError``, ``ImageBusyError``,
        ``GuestToolsNotInstalledError``, and what opening a store and importing a disk raise.
        """
        with self._locks.hold(request.image):
            with self._transactions.reading() as records:
                ground = self._look(records, request)
            store = self._stores.open(ground.server.store.path, ground.farm)
            disk = self._made(store, ground, progress, say)
            return self._publish(store, ground, request, disk)

    def _look(self, records: Records, request: RepublishRequest) -> _Ground:
        image = records.images.get(request.image)
        refuse_in_maintenance(records, image)
        older = demand_older(records, image, self._release)
        base = records.versions.get(older.version)
        server = holding_server(records, base, request.server)
        item = kit_with_tools(records, older.newer, server)
        medium = None if item.kit is None else item.kit.tools_medium(older.newer)
        if item.root is None or medium is None:
            raise GuestToolsMissingError(str(older.newer))
        return _Ground(
            farm=records.farm.get().id,
            older=older,
            base=base,
            policy=records.image_policies.with_id(image.id).policy,
            server=server,
            peers=peers_of(server, records, self._key, self._authority, self._clock.now()),
            kit=item.root,
            medium=medium,
        )

    def _made(
        self,
        store: ChunkStore,
        ground: _Ground,
        progress: Progress,
        say: Callable[[str], None],
    ) -> ImportedDisk:
        with ExitStack() as stack:
            work = ToolsWork(
                image=ground.base.name.image,
                disk=stack.enter_context(store.served(ground.base.root, ground.peers)),
                policy=ground.policy,
                release=ground.older.newer,
                kit=stack.enter_context(store.served(ground.kit, ground.peers)),
                medium=ground.medium,
            )
            say(f"{ground.older}: its guest is to install them on {ground.server.name}")
            changed = stack.enter_context(self._guest_tools.installed(work, progress, say))
            say("its disk is read")
            return store.import_disk(changed, progress)

    def _publish(
        self, store: ChunkStore, ground: _Ground, request: RepublishRequest, disk: ImportedDisk
    ) -> Version:
        tools = ground.older.newer
        signature = self._key.sign(disk.root.signed_message())
        with self._transactions.writing() as records:
            image = records.images.get(request.image)
            refuse_in_maintenance(records, image)
            newest = newest_published(records.versions.of_image(image.id))
            if newest is None or newest.name != ground.base.name:
                # What somebody has published meanwhile would be lost in it: it is begun again.
                raise ImageBusyError(image.name)
            what = Publication(
                server=ground.server,
                store=store,
                disk=disk,
                signature=signature,
                by=self._by,
                release=self._release,
                description=f"{ground.base.name} with guest tools {tools}",
                to=request.to,
                guest_tools=str(tools),
            )
            version = publish(records, image, what, self._clock.now())
            if request.also is not None:
                request.also(records, version)
            return version
