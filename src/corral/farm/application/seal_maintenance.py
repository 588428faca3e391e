"""Seal what a device wrote in the place of its server, while that does not run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corral.farm.application.finish_sealing import finish_sealing
from corral.farm.domain.image.overlay import OverlayCondition, OverlayPhase, SeenOverlay

if TYPE_CHECKING:
    from corral.farm.application.ports.chunk_stores import ChunkStores
    from corral.farm.application.ports.farm_key import FarmKey
    from corral.farm.application.ports.records import Transactions
    from corral.farm.application.ports.sources import Clock
    from corral.farm.application.progress import Progress
    from corral.farm.domain.image.overlay import OverlayId
    from corral.farm.domain.image.version import Version


class SealMaintenance:
    """Does what the server would do if it ran, in a store that this machine reaches.

    Whoever has the written disk open has it alone, so that a server which starts meanwhile waits.
    Killed at any moment, it leaves the disk to be sealed: by the server, or by another try.
    """

    def __init__(
        self,
        transactions: Transactions,
        stores: ChunkStores,
        key: FarmKey,
        clock: Clock,
        release: str,
    ) -> None:
        self._transactions = transactions
        self._stores = stores
        self._key = key
        self._clock = clock
        self._release = release

    def is_up_to_server(self, overlay_id: OverlayId) -> bool:
        """Whether the disk's server is heard of, and seals it itself.

        Raises ``OverlayUnknownError``.
        """
        with self._transactions.reading() as records:
            overlay = records.overlays.with_id(overlay_id)
            server = records.servers.with_id(overlay.server_id)
        is_sealing = overlay.phase is OverlayPhase.SEALING
        return not is_sealing or server.may_be_relied_on(self._clock.now())

    def __call__(self, overlay_id: OverlayId, progress: Progress) -> Version | None:
        """Give the version; none if the disk's server is heard of, and seals it itself.

        Raises ``OverlayUnknownError``, ``OverlayHeldError`` if another process has the disk open,
        ``WorkCancelledError``, and what opening the store raises.
        """
        with self._transactions.reading() as records:
            farm = records.farm.get()
            overlay = records.overlays.with_id(overlay_id)
            server = records.servers.with_id(overlay.server_id)
        if overlay.phase is not OverlayPhase.SEALING:
            return None
        if server.may_be_relied_on(self._clock.now()):
            return None
        store = self._stores.open(server.store.path, farm.id)
        sealed = store.seal(overlay.id, overlay.base, progress)
        now = self._clock.now()
        with self._transactions.writing() as records:
            overlay = records.overlays.with_id(overlay_id)
            seen = SeenOverlay(
                at=now,
                condition=OverlayCondition.SEALED,
                sealed_root=sealed.root,
                sealed_bytes=sealed.size_bytes,
            )
            records.overlays.set_seen(overlay.id, seen)
            return finish_sealing(records, overlay, seen, self._key, now, self._release)
