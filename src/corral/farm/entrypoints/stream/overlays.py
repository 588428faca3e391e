"""The disks that devices may change, made to be what a configuration says."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import corral_native as native
import structlog

from corral.farm.adapters.farm_folder.private_file import write_private_file
from corral.wire.overlay import OverlayReport, OverlayState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from corral.wire.overlay import Overlay

_AGAIN_SECONDS: Final = 10.0
_log = structlog.get_logger("corral.stream")

Offer = tuple[str, native.Overlay, bytes]
"""A name, the disk, and the bytes of its device's id."""


class BaseUnusableError(Exception):
    """The version below an overlay cannot be had."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


class Ledger:
    """Which overlays this server has made and not removed, in a file beside its own.

    Several servers may share a store's folder. So what lies in the folder does not say whose it is,
    and nobody removes what is not in his ledger. It is written before an overlay is made and after
    it is removed.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._restored_at: int | None = None
        self._ids = self._read()

    def ids(self) -> frozenset[str]:
        """Give them."""
        return frozenset(self._ids)

    def add(self, overlay: str) -> None:
        """Note one that is about to be made; raises ``OSError``."""
        if overlay not in self._ids:
            self._write(self._ids | {overlay})

    def remove(self, overlay: str) -> None:
        """Forget one that is gone; raises ``OSError``."""
        if overlay in self._ids:
            self._write(self._ids - {overlay})

    def disown_unknown(self, restored_at: int, known: frozenset[str]) -> None:
        """Forget what a farm that was restored does not know of, once; raises ``OSError``.

        It may have begun after the backup, and hold what somebody wrote since. Not in the ledger
        any more, it stays where it is.
        """
        if restored_at == self._restored_at:
            return
        left, self._restored_at = self._ids - known, restored_at
        self._write(self._ids & known)
        for overlay in sorted(left):
            _log.warning("overlay kept, though the restored farm does not know it", overlay=overlay)

    def _read(self) -> frozenset[str]:
        try:
            content = json.loads(self._path.read_bytes())
        except FileNotFoundError:
            return frozenset()
        except (OSError, ValueError) as error:
            # Nothing is lost by it: overlays that are wanted are opened all the same.
            _log.error("the ledger of overlays is of no use", reason=type(error).__name__)
            return frozenset()
        match content:
            case {"overlays": [*overlays], "restored_at": int(restored_at)}:
                self._restored_at = restored_at
                return frozenset(map(str, overlays))
            case {"overlays": [*overlays]}:
                return frozenset(map(str, overlays))
            case _:
                return frozenset()

    def _write(self, ids: frozenset[str]) -> None:
        content = {"format": 1, "overlays": sorted(ids), "restored_at": self._restored_at}
        write_private_file(self._path, json.dumps(content).encode())
        self._ids = ids


@dataclass
class _Kept:
    """One overlay: what is wanted of it and how it is. Guarded by the keeper's lock."""

    wanted: Overlay
    disk: native.Overlay | None = None
    sealed_root: str | None = None
    sealed_size_bytes: int | None = None
    problem: str = ""
    progress: native.Progress | None = None
    not_before: float = 0.0
    """When to try again what failed, on the monotonic clock."""

    @property
    def id(self) -> str:
        return str(self.wanted.id)

    def report(self, clients: int) -> OverlayReport:
        usage = None if self.disk is None else self.disk.usage()
        progress = self.progress
        problem = self.problem
        if self.sealed_root is not None:
            state = OverlayState.SEALED
        elif usage is None or problem or usage.failure is not None:
            state = OverlayState.FAILED
            problem = problem or (usage and usage.failure) or "it is not open yet"
        elif usage.is_full:
            state = OverlayState.FULL
            problem = "a write found no room: the limit is reached or the store's disk is full"
        else:
            state = OverlayState.READY
        return OverlayReport(
            id=self.wanted.id,
            written_bytes=0 if usage is None else usage.changed_bytes,
            allocated_bytes=0 if usage is None else usage.allocated_bytes,
            limit_bytes=self.wanted.limit_bytes if usage is None else usage.limit_bytes,
            clients=clients,
            state=state,
            problem=problem,
            sealed_root=self.sealed_root,
            sealed_size_bytes=self.sealed_size_bytes,
            sealing_done_bytes=0 if progress is None else progress.done_bytes,
            sealing_total_bytes=0 if progress is None else progress.total_bytes,
        )


@dataclass
class OverlayKeeper:
    """Makes, opens, offers, seals and removes overlays. Used from one thread; sealing has another.

    Every step can be cut off anywhere: what is wanted is said again at the next start, an overlay
    that was made is opened, one that was being sealed is sealed again, and what was to be removed
    is still in the ledger.
    """

    store: native.Store
    ledger: Ledger
    base: Callable[[str], native.ServedVersion]
    """Serves the version with this root; raises ``BaseUnusableError``."""
    on_change: Callable[[], None]
    """Called from the sealing thread when it is done, so that the farm hears of it soon."""
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _kept: dict[str, _Kept] = field(default_factory=dict)
    _to_remove: frozenset[str] = frozenset()
    _offered: frozenset[str] = frozenset()
    _sealer: threading.Thread | None = None
    _is_stopping: bool = False

    def want(
        self, overlays: Iterable[Overlay], *, may_remove: bool, restored_at: int | None = None
    ) -> None:
        """Keep these and no others; ``work`` makes it so."""
        wanted = {str(overlay.id): overlay for overlay in overlays}
        with self._lock:
            for name in self._kept.keys() - wanted.keys():
                gone = self._kept.pop(name)
                if gone.progress is not None:
                    gone.progress.cancel()
            for name, overlay in wanted.items():
                known = self._kept.setdefault(name, _Kept(overlay))
                if known.wanted != overlay:
                    known.not_before = 0.0
                known.wanted = overlay
        if may_remove and restored_at is not None:
            try:
                self.ledger.disown_unknown(restored_at, frozenset(wanted))
            except OSError as error:
                _log.error("cannot note that the farm was restored", reason=error.strerror)
                may_remove = False
        if may_remove:
            self._to_remove = self.ledger.ids() - frozenset(wanted)
        else:
            self._to_remove -= frozenset(wanted)

    def work(self, sessions: Iterable[native.Session]) -> bool:
        """Do what can be done now; called again and again. True if other disks are to be offered.

        What is no longer offered has no clients from the next call on, and can then be removed.
        """
        clients = Counter(session.export for session in sessions)
        now = time.monotonic()
        with self._lock:
            kept = list(self._kept.values())
        for one in kept:
            if one.disk is None and one.not_before <= now:
                self._open(one, now)
            elif one.disk is not None:
                self._set_limit(one, now)
        self._seal_next(kept, clients, now)
        self._remove()
        offered = frozenset(one.id for one in kept if self._is_to_be_offered(one, clients))
        has_changed, self._offered = offered != self._offered, offered
        return has_changed

    def offers(self) -> list[Offer]:
        """Say what is to be offered."""
        with self._lock:
            return [
                (one.wanted.export, one.disk, one.wanted.subject.bytes)
                for one in self._kept.values()
                if one.disk is not None and one.id in self._offered
            ]

    def reports(self, sessions: Iterable[native.Session]) -> tuple[OverlayReport, ...]:
        """Say how each is."""
        clients = Counter(session.export for session in sessions)
        with self._lock:
            kept = tuple(self._kept.values())
        return tuple(one.report(clients[one.wanted.export]) for one in kept)

    def stop(self) -> None:
        """End a sealing; it is begun again at the next start."""
        with self._lock:
            self._is_stopping = True
            for one in self._kept.values():
                if one.progress is not None:
                    one.progress.cancel()
        if self._sealer is not None:
            self._sealer.join()

    def _is_to_be_offered(self, one: _Kept, clients: Counter[str]) -> bool:
        """Whoever is on it when it is to be sealed may finish; nobody new comes after that."""
        if one.disk is None or one.sealed_root is not None:
            return False
        if not one.wanted.sealing:
            return True
        return one.id in self._offered and clients[one.wanted.export] > 0

    def _open(self, one: _Kept, now: float) -> None:
        try:
            base = self.base(one.wanted.base)
            try:
                disk = native.Overlay.open(self.store, one.id, base)
            except native.UnknownOverlayError:
                disk = self._create(one, base)
            self.ledger.add(one.id)
        except BaseUnusableError as error:
            self._failed(one, now, error.code, str(error))
        except native.NativeError as error:
            self._failed(one, now, error.code, str(error))
        except OSError as error:
            self._failed(one, now, "ledger", f"cannot note it: {error.strerror}")
        else:
            with self._lock:
                one.disk, one.problem = disk, ""
                one.sealed_root = disk.sealed_root
                if one.sealed_root is not None:
                    one.sealed_size_bytes = disk.size_bytes
            _log.info("overlay open", overlay=one.id, export=one.wanted.export)

    def _create(self, one: _Kept, base: native.ServedVersion) -> native.Overlay:
        self.ledger.add(one.id)
        return native.Overlay.create(self.store, one.id, base, one.wanted.limit_bytes)

    def _set_limit(self, one: _Kept, now: float) -> None:
        disk = one.disk
        if disk is None or one.sealed_root is not None or one.not_before > now:
            return
        if disk.usage().limit_bytes != one.wanted.limit_bytes:
            try:
                disk.set_limit(one.wanted.limit_bytes)
            except native.NativeError as error:
                self._failed(one, now, error.code, str(error))

    def _failed(self, one: _Kept, now: float, code: str, detail: str) -> None:
        with self._lock:
            is_news = one.problem != detail
            one.problem, one.not_before = detail, now + _AGAIN_SECONDS
        if is_news:
            _log.warning("overlay unusable", overlay=one.id, code=code, detail=detail)

    def _seal_next(self, kept: list[_Kept], clients: Counter[str], now: float) -> None:
        if self._sealer is not None:
            if self._sealer.is_alive():
                return
            self._sealer = None
        for one in kept:
            is_due = (
                one.wanted.sealing
                and one.disk is not None
                and one.sealed_root is None
                and one.id not in self._offered
                and not clients[one.wanted.export]
                and one.not_before <= now
            )
            if is_due and not self._is_stopping:
                self._sealer = threading.Thread(
                    target=self._seal, args=(one,), name="sealing", daemon=True
                )
                self._sealer.start()
                return

    def _seal(self, one: _Kept) -> None:
        progress = native.Progress()
        with self._lock:
            disk = one.disk
            if disk is None or self._is_stopping or self._kept.get(one.id) is not one:
                return
            one.progress = progress
        _log.info("sealing", overlay=one.id, export=one.wanted.export)
        try:
            sealed = self.store.seal(disk, progress)
        except native.CancelledError:
            return
        except native.NativeError as error:
            self._failed(one, time.monotonic(), error.code, str(error))
            return
        finally:
            with self._lock:
                one.progress = None
        with self._lock:
            one.sealed_root, one.sealed_size_bytes = sealed.root, sealed.size_bytes
            one.problem = ""
        _log.info("sealed", overlay=one.id, root=sealed.root, changed_chunks=sealed.changed_chunks)
        self.on_change()

    def _remove(self) -> None:
        for name in tuple(self._to_remove):
            try:
                native.Overlay.remove(self.store, name)
                self.ledger.remove(name)
            except native.OverlayInUseError:
                continue  # its last session ends soon
            except (native.NativeError, OSError) as error:
                _log.warning("cannot remove", overlay=name, detail=str(error))
                continue
            self._to_remove -= {name}
            _log.info("overlay removed", overlay=name)
