"""Installs a kit in a slot: the farm's order, the computer's list, the store's chunks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from corral.engine.adapters.files import reason_of
from corral.engine.adapters.identity import is_signed
from corral.engine.domain.failures import StateUnusableError
from corral.engine.domain.releases import is_same
from corral.engine.domain.slots.errors import (
    KitDamagedError,
    KitUnfitError,
    KitUntrustedError,
    PublishersUnreadableError,
)
from corral.kit.errors import DamagedKitError, ListError, UnfitKitError, UntrustedKitError
from corral.kit.layout import Wanted, read_trusted, try_out, unpack

if TYPE_CHECKING:
    from pathlib import Path

    from corral.engine.adapters.chunk_store import NativeChunks
    from corral.engine.adapters.slots_folder import SlotsFolder
    from corral.engine.domain.slots.record import Kit, Slot

_COMPONENT: Final = "engine"
_PROGRAM: Final = "corral.engine.entrypoints.cli"


class KitInstaller:
    """Needs no network: everything is in the kit, whose chunks are here."""

    def __init__(
        self, chunks: NativeChunks, folder: SlotsFolder, running: Slot | None, publishers: Path
    ) -> None:
        self._chunks = chunks
        self._folder = folder
        self._running = running
        self._publishers = publishers

    def __call__(self, kit: Kit, slot: Slot) -> None:
        """Have ``slot`` hold the kit, whole.

        Raises ``KitUntrustedError``, ``KitDamagedError``, ``KitUnfitError``,
        ``PublishersUnreadableError``; ``StateUnusableError`` and ``StoreUnusableError``, after
        which it is worth trying again.
        """
        wanted = Wanted(
            _COMPONENT, lambda release: is_same(release, kit.release), kit.root, _PROGRAM
        )
        trusted = self._trusted()
        try:
            with self._chunks.file(kit.root) as file:
                unpack(file, wanted, trusted, is_signed, self._folder.begin)
            try_out(self._folder.coming, wanted)
        except UntrustedKitError as error:
            raise KitUntrustedError(kit.release, error.trusted) from error
        except DamagedKitError as error:
            raise KitDamagedError(kit.release, str(error)) from error
        except UnfitKitError as error:
            raise KitUnfitError(kit.release, str(error)) from error
        except OSError as error:
            raise StateUnusableError(str(self._folder.path), reason_of(error)) from error
        self._folder.put(slot, kit)

    def _trusted(self) -> dict[str, bytes]:
        running = None if self._running is None else self._folder.place(self._running)
        try:
            return read_trusted(self._publishers, running)
        except ListError as error:
            raise PublishersUnreadableError(str(error.path), str(error)) from error
