"""The versions that are offered, and those that cannot be yet."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import corral_native as native
import structlog

from corral.engine.adapters.disk_messages import DiskReport, Refusal

if TYPE_CHECKING:
    from corral.engine.adapters.disk_messages import DiskWishes, WishedDisk

_RETRY_SECONDS: Final = 2.0
_log = structlog.get_logger("corral.engine.disks")


@dataclass
class Offering:
    """Opens versions on a thread of its own: asking a peer for the first page may take long."""

    store: native.Store
    server: native.StreamServer
    release: str
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _wake: threading.Event = field(default_factory=threading.Event)
    _wished: dict[str, WishedDisk] = field(default_factory=dict)
    _peers: dict[str, native.Peers] = field(default_factory=dict)
    _served: dict[str, native.ServedVersion] = field(default_factory=dict)
    _refused: dict[str, Refusal] = field(default_factory=dict)
    _is_stopping: bool = False
    _thread: threading.Thread = field(init=False)

    def __post_init__(self) -> None:
        self._thread = threading.Thread(target=self._run, name="opening", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End."""
        with self._lock:
            self._is_stopping = True
        self._wake.set()
        self._thread.join()

    def want(self, wishes: DiskWishes) -> bool:
        """Offer these and no others; False if they are what was wanted already."""
        wished = {disk.root: disk for disk in wishes.disks}
        with self._lock:
            if wished == self._wished:
                return False
            self._wished = wished
            for root, disk in wished.items():
                # What is being read keeps its peers; they are told a new ticket.
                peers = self._peers.setdefault(root, native.Peers())
                peers.set(disk.urls, disk.ticket, disk.authority)
            for root in self._peers.keys() - wished.keys():
                del self._peers[root]
            gone = self._served.keys() - wished.keys()
            self._served = {r: v for r, v in self._served.items() if r not in gone}
            self._refused = {r: v for r, v in self._refused.items() if r in wished}
            if gone:
                self._apply()
        self._wake.set()
        return True

    def report(self) -> DiskReport:
        """Say what is offered."""
        with self._lock:
            served = list(self._served.values())
            paged = sum(version.counters().from_peers_bytes for version in served)
            return DiskReport(
                release=self.release,
                sizes={version.root: version.size_bytes for version in served},
                refused=dict(self._refused),
                from_peers_bytes=paged,
            )

    def open_all(self) -> bool:
        """Open what is wanted and not offered; False if something could not be."""
        with self._lock:
            todo = {root: self._peers[root] for root in self._wished if root not in self._served}
        for root, peers in todo.items():
            self._open(root, peers)
        with self._lock:
            return self._wished.keys() == self._served.keys()

    def _open(self, root: str, peers: native.Peers) -> None:
        try:
            version = self.store.serve(root, peers)
        except native.NativeError as error:
            refusal = Refusal(code=error.code, problem=str(error))
            with self._lock:
                is_new = self._refused.get(root) != refusal
                if root in self._wished:
                    self._refused[root] = refusal
            if is_new:
                _log.warning("not offered", root=root, code=error.code, detail=str(error))
            return
        with self._lock:
            if root not in self._wished:
                return
            self._refused.pop(root, None)
            self._served[root] = version
            self._apply()
        _log.info("offered", root=root, size_bytes=version.size_bytes)

    def _apply(self) -> None:
        # An export is called by its root: who reads from it says what it reads.
        self.server.apply(sorted(self._served.items()))

    def _run(self) -> None:
        while True:
            self._wake.clear()
            with self._lock:
                if self._is_stopping:
                    return
            is_all = self.open_all()
            self._wake.wait(None if is_all else _RETRY_SECONDS)
