"""Whether a stream process does its work: it reads of all that it offers, as others will."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import corral_native as native
import structlog

from corral.farm.entrypoints.stream.version_file import opened

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from corral.wire.server import RefusedExport

_SAMPLES: Final = 4
_SAMPLE_BYTES: Final = 4096
"""All of the chunk around them is read, and compared with its name."""
_log = structlog.get_logger("corral.stream")


@dataclass
class SelfTest:
    """One test, on a thread of its own: reading may take long, and reports go on meanwhile."""

    store: native.Store
    reader: str
    on_end: Callable[[], None]
    _problem: str | None = None
    _thread: threading.Thread | None = None
    _is_stopping: threading.Event = field(default_factory=threading.Event)

    @property
    def has_begun(self) -> bool:
        """Whether it was begun."""
        return self._thread is not None

    @property
    def problem(self) -> str | None:
        """Why it was not passed; empty if it was; none before its end."""
        return self._problem

    @property
    def is_passed(self) -> bool:
        """Whether all that was read is right."""
        return self._problem == ""

    def begin(
        self,
        versions: Sequence[tuple[str, native.ServedVersion]],
        refused: Sequence[RefusedExport],
    ) -> None:
        """Begin it."""
        self._thread = threading.Thread(
            target=self._run, args=(versions, refused), name="self-test", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """End it."""
        self._is_stopping.set()
        if self._thread is not None:
            self._thread.join()

    def _run(
        self,
        versions: Sequence[tuple[str, native.ServedVersion]],
        refused: Sequence[RefusedExport],
    ) -> None:
        problem = next((f"it does not offer {o.name}: {o.detail} ({o.code})" for o in refused), "")
        for name, version in versions:
            if problem or self._is_stopping.is_set():
                break
            try:
                self._sample(version)
            except native.NativeError as error:
                problem = f"reading {name} went wrong: {error} ({error.code})"
            except Exception as error:  # noqa: BLE001 - a test that breaks is not passed
                problem = f"reading {name} went wrong: {error!r}"
        if self._is_stopping.is_set():
            return
        self._problem = problem
        if problem:
            _log.error("self-test not passed", detail=problem)
        else:
            _log.info("self-test passed", versions=len(versions))
        self.on_end()

    def _sample(self, version: native.ServedVersion) -> None:
        with opened(self.store, self.reader, version) as file:
            last = max(0, file.size_bytes - _SAMPLE_BYTES)
            for place in range(_SAMPLES):
                file.read_at(last * place // (_SAMPLES - 1), _SAMPLE_BYTES)
