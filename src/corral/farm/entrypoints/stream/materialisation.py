"""Filling the flat files of served versions before anybody asks, on a thread of its own."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import corral_native as native
import structlog

if TYPE_CHECKING:
    from collections.abc import Iterable

_log = structlog.get_logger("corral.stream")


@dataclass
class Materialiser:
    """One version after the other. One that cannot be filled is served from packs and peers."""

    _lock: threading.Lock = field(default_factory=threading.Lock)
    _wake: threading.Event = field(default_factory=threading.Event)
    _waiting: dict[str, native.ServedVersion] = field(default_factory=dict)
    _seen: set[str] = field(default_factory=set)
    _current: tuple[str, native.Progress] | None = None
    _is_stopping: bool = False
    _thread: threading.Thread = field(init=False)

    def __post_init__(self) -> None:
        self._thread = threading.Thread(target=self._run, name="materialisation", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def want(self, versions: Iterable[native.ServedVersion]) -> None:
        """Fill these, and no longer those that are not named."""
        wanted = {version.root: version for version in versions}
        with self._lock:
            if self._current is not None and self._current[0] not in wanted:
                self._current[1].cancel()
            self._seen &= wanted.keys()
            self._waiting = {r: v for r, v in wanted.items() if r not in self._seen}
        self._wake.set()

    def stop(self) -> None:
        """End at once; what is filled stays filled."""
        with self._lock:
            self._is_stopping = True
            if self._current is not None:
                self._current[1].cancel()
        self._wake.set()
        self._thread.join()

    def _run(self) -> None:
        while True:
            self._wake.wait()
            self._wake.clear()
            while (taken := self._take()) is not None:
                self._fill(*taken)
            with self._lock:
                if self._is_stopping:
                    return

    def _take(self) -> tuple[native.ServedVersion, native.Progress] | None:
        with self._lock:
            if self._is_stopping or not self._waiting:
                self._current = None
                return None
            root = next(iter(self._waiting))
            version = self._waiting.pop(root)
            self._seen.add(root)
            progress = native.Progress()
            self._current = (root, progress)
            return version, progress

    def _fill(self, version: native.ServedVersion, progress: native.Progress) -> None:
        try:
            version.materialise(progress)
        except native.CancelledError:
            return
        except native.NativeError as error:
            _log.warning(
                "cannot fill the flat file; served from packs and peers",
                root=version.root,
                code=error.code,
                detail=str(error),
            )
            return
        _log.info("flat file filled", root=version.root, size_bytes=version.size_bytes)
