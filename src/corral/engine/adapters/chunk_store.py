"""The chunk store, by the native package."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final
from uuid import UUID

import corral_native as native

from corral.engine.domain.failures import (
    FetchCancelledError,
    FetchFailedError,
    StoreUnusableError,
)
from corral.engine.domain.report import NO_ROOM

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from corral.engine.adapters.media import Media
    from corral.engine.application.ports import Fetching
    from corral.engine.domain.fetching import Fetch


_READING: Final = str(UUID(int=1))
"""The overlay that a version is read through; nothing is ever written to it."""


class VersionFile:
    """A version that is here in full, as a file that is read from its beginning."""

    def __init__(self, overlay: native.Overlay) -> None:
        self._overlay: native.Overlay | None = overlay
        self._at = 0

    def read(self, length: int, /) -> bytes:
        """Give the next bytes, fewer at its end; each chunk is checked against its name before."""
        if self._overlay is None:
            return b""
        left = min(length, self._overlay.size_bytes - self._at)
        piece = self._overlay.read_at(self._at, left) if left else b""
        self._at += len(piece)
        return piece

    def close(self) -> None:
        """Let go of it, so that the overlay can be removed."""
        self._overlay = None


class NativeFetching:
    """A replication that goes on."""

    def __init__(self) -> None:
        self.progress = native.Progress()

    @property
    def done_bytes(self) -> int:
        """Plain bytes that are here."""
        return self.progress.done_bytes

    @property
    def total_bytes(self) -> int:
        """Plain bytes of all; 0 until it is known."""
        return self.progress.total_bytes

    @property
    def stored_bytes(self) -> int:
        """Bytes that have come."""
        return self.progress.stored_bytes

    def set_rate(self, bytes_a_second: int | None) -> None:
        """Take no more than this."""
        self.progress.set_rate(bytes_a_second)

    def cancel(self) -> None:
        """End it; what has come stays."""
        self.progress.cancel()


class NativeChunks:
    """A store in a folder; made when the computer has a farm, whose chunks alone are in it."""

    def __init__(self, path: Path, media: Media) -> None:
        self._path = path
        self._media = media
        self._store: native.Store | None = None
        self._farm: UUID | None = None
        self._peers: dict[str, native.Peers] = {}

    def open(self, farm: UUID) -> None:
        """Open the store, or make it; raises ``StoreUnusableError``."""
        if self._store is not None:
            return
        self._farm = farm
        try:
            if self._path.is_dir() and any(self._path.iterdir()):
                self._store = native.Store.open(self._path, str(farm))
            else:
                self._store = native.Store.create(self._path, str(farm))
        except (native.NativeError, OSError) as error:
            raise StoreUnusableError(str(self._path), str(error)) from error

    def is_open(self) -> bool:
        """Whether there is a store."""
        return self._store is not None

    def held(self, roots: frozenset[str]) -> frozenset[str]:
        """Give those of which every chunk is here."""
        store = self._opened()
        try:
            return frozenset(root for root in roots if store.holds(root))
        except native.NativeError as error:
            raise StoreUnusableError(str(self._path), str(error)) from error

    def carried(self, roots: frozenset[str]) -> frozenset[str]:
        """Give those that are in full on a medium which somebody put in."""
        return roots & self._media.carried(self._farm) if self._farm and roots else frozenset()

    def here(self) -> frozenset[str]:
        """Give all versions that are here in full."""
        try:
            return frozenset(self._opened().versions())
        except native.NativeError as error:
            raise StoreUnusableError(str(self._path), str(error)) from error

    def begin(self) -> NativeFetching:
        """Give the handle of a fetch to come."""
        return NativeFetching()

    def fetch(self, fetch: Fetch, handle: Fetching) -> int:
        """Fetch what is missing, each chunk checked by its name; give the bytes that came."""
        if not isinstance(handle, NativeFetching):
            raise TypeError(handle)
        peers = self._peers.setdefault(fetch.root, native.Peers())
        media = [] if self._farm is None else self._media.open(self._farm)
        peers.set(fetch.urls, fetch.ticket, fetch.authority, media)
        try:
            return self._opened().replicate(fetch.root, peers, handle.progress).fetched_bytes
        except native.CancelledError:
            raise FetchCancelledError from None
        except native.NoSpaceError as error:
            raise FetchFailedError(NO_ROOM, str(error)) from error
        except native.NativeError as error:
            raise FetchFailedError(error.code, str(error)) from error
        finally:
            # Or a medium could not be taken away.
            peers.set(fetch.urls, fetch.ticket, fetch.authority)

    @contextmanager
    def file(self, root: str) -> Iterator[VersionFile]:
        """Read a version that is here as the file that it was made of; one at a time."""
        store = self._opened()
        try:
            with suppress(native.UnknownOverlayError):  # of a reader that was killed
                native.Overlay.remove(store, _READING)
            version = store.serve(root, native.Peers())
            file = VersionFile(native.Overlay.create(store, _READING, version, 0))
            try:
                yield file
            finally:
                file.close()
                native.Overlay.remove(store, _READING)
        except native.NativeError as error:
            raise StoreUnusableError(str(self._path), str(error)) from error

    def remove(self, roots: frozenset[str]) -> None:
        """Forget versions."""
        for root in sorted(roots):
            self._peers.pop(root, None)
            try:
                self._opened().remove_version(root)
            except native.NativeError as error:
                raise StoreUnusableError(str(self._path), str(error)) from error

    def collect(self, kept: frozenset[str]) -> int:
        """Free what no version needs, and give the bytes that became free."""
        store = self._opened()
        try:
            plan = store.plan_collection(sorted(kept))
            return store.collect(plan, native.Progress()).freed_bytes
        except native.NativeError as error:
            raise StoreUnusableError(str(self._path), str(error)) from error

    def free_bytes(self) -> tuple[int, int]:
        """Give the free bytes and all bytes of its file system."""
        if self._store is None:
            return 0, 0
        try:
            return self._store.free_bytes(), self._store.capacity_bytes()
        except native.NativeError:
            return 0, 0

    def _opened(self) -> native.Store:
        if self._store is None:
            raise StoreUnusableError(str(self._path), "it is not open")
        return self._store
