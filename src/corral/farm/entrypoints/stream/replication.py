"""Fetching what the server should hold and lacks, on a thread of its own."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import corral_native as native
import structlog

from corral.wire.server import ReplicaReport, ReplicaState

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from corral.wire.server import Replica

_RETRY_SECONDS: Final = 5.0
_LOOK_SECONDS: Final = 1.0
_HEAL_AGAIN_SECONDS: Final = 60.0  # healing reads the whole store
_log = structlog.get_logger("corral.stream")


@dataclass
class _Work:
    """One replica: what is wanted and how far it is. Guarded by the replicator's lock."""

    wanted: Replica
    peers: native.Peers
    state: ReplicaState = ReplicaState.WANTED
    problem: str = ""
    progress: native.Progress | None = None
    fetched_bytes: int = 0
    not_before: float = 0.0
    """When to try again, on the monotonic clock."""
    healed_doubt: int = 0
    """The highest doubt that a healing has settled since the process began."""

    @property
    def is_doubted(self) -> bool:
        """Whether the farm found damage: the books may say that all is there, look at the bytes."""
        return self.wanted.doubt > self.healed_doubt

    def is_due(self, now: float) -> bool:
        """Whether there is something to do for it at ``now``."""
        return self.state is not ReplicaState.COMPLETE and now >= self.not_before

    def report(self) -> ReplicaReport:
        size = self.wanted.size_bytes
        seen = self.progress
        done = size if self.state is ReplicaState.COMPLETE else 0
        fetched = self.fetched_bytes
        if seen is not None:
            done = min(size, size * seen.done_bytes // max(seen.total_bytes, 1))
            fetched += seen.stored_bytes
        return ReplicaReport(
            root=self.wanted.root,
            state=self.state,
            done_bytes=done,
            total_bytes=size,
            fetched_bytes=fetched,
            problem=self.problem,
            healed_doubt=self.healed_doubt,
        )


@dataclass
class Replicator:
    """Keeps the store at what is wanted: fetches what is missing, heals what is doubted.

    One replica at a time: the line to the peers is the bottleneck, and two at once would finish
    both later. A replica that fails is tried again; what was fetched is never fetched twice.
    """

    store: native.Store
    on_change: Callable[[], None]
    """Called from the thread when a replica became complete, so that the farm hears of it soon."""
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _wake: threading.Event = field(default_factory=threading.Event)
    _works: dict[str, _Work] = field(default_factory=dict)
    _current: _Work | None = None
    _rate: int | None = None
    _is_healing: bool = False
    _damaged: frozenset[str] = frozenset()
    _damaged_chunks: int = 0
    _is_stopping: bool = False
    _thread: threading.Thread = field(init=False)

    def __post_init__(self) -> None:
        self._thread = threading.Thread(target=self._run, name="replication", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def limit(self, bytes_a_second: int | None) -> None:
        """Take no more than this from the peers, what is being fetched now included."""
        with self._lock:
            self._rate = bytes_a_second
            if self._current is not None and self._current.progress is not None:
                self._current.progress.set_rate(bytes_a_second)

    def want(self, replicas: Mapping[str, tuple[Replica, native.Peers]]) -> None:
        """Hold these, by root, and no longer care for others; a fetch of one of those ends."""
        with self._lock:
            for root in self._works.keys() - replicas.keys():
                work = self._works.pop(root)
                if work.progress is not None:
                    work.progress.cancel()
            for root, (wanted, peers) in replicas.items():
                known = self._works.setdefault(root, _Work(wanted, peers))
                if (known.wanted.peers, known.wanted.doubt) != (wanted.peers, wanted.doubt):
                    known.not_before = 0.0
                known.wanted, known.peers = wanted, peers
                if known.is_doubted:
                    known.state = ReplicaState.DAMAGED
        self._wake.set()

    def may_write(self, root: str) -> bool:
        """Whether the manifest of a root that is no longer wanted could still be written."""
        with self._lock:
            current = self._current
            # A healing writes what any version lacks.
            return current is not None and (current.wanted.root == root or self._is_healing)

    def reports(self) -> tuple[ReplicaReport, ...]:
        """Say how far each is."""
        with self._lock:
            return tuple(self._reported(work) for work in self._works.values())

    def note_damage(self, roots: frozenset[str], chunks: int) -> None:
        """Take these for damaged whatever the books say: a scrub found nobody to heal them from."""
        with self._lock:
            self._damaged, self._damaged_chunks = roots, chunks

    def _reported(self, work: _Work) -> ReplicaReport:
        """Say how far it is; with the lock held."""
        report = work.report()
        if work.wanted.root not in self._damaged or report.state is not ReplicaState.COMPLETE:
            return report
        problem = (
            f"damaged chunks that no server can give: {self._damaged_chunks}; start one that holds"
            " the version, or import it again"
        )
        return report.model_copy(update={"state": ReplicaState.DAMAGED, "problem": problem})

    def stop(self) -> None:
        """End what is being fetched; it goes on from there at the next start."""
        with self._lock:
            self._is_stopping = True
            for work in self._works.values():
                if work.progress is not None:
                    work.progress.cancel()
        self._wake.set()
        self._thread.join()

    def _run(self) -> None:
        while True:
            self._wake.clear()
            with self._lock:
                if self._is_stopping:
                    return
                todo = [w for w in self._works.values() if w.is_due(time.monotonic())]
            for work in todo:
                self._bring_up(work)
            with self._lock:
                is_done = all(w.state is ReplicaState.COMPLETE for w in self._works.values())
            self._wake.wait(None if is_done else _LOOK_SECONDS)

    def _bring_up(self, work: _Work) -> None:
        root = work.wanted.root
        with self._lock:
            if self._is_stopping or self._works.get(root) is not work:
                return
            progress = work.progress = native.Progress()
            progress.set_rate(self._rate)
            doubt, is_doubted = work.wanted.doubt, work.is_doubted
            self._current, self._is_healing = work, is_doubted
            if not is_doubted:
                work.state = ReplicaState.FETCHING
        problem, state = "", ReplicaState.COMPLETE
        fetched = 0
        try:
            if is_doubted:
                fetched, problem = self._heal(work.peers, progress, root)
            elif not self.store.holds(root):
                _log.info("fetching", export=work.wanted.export, root=root)
                fetched = self.store.replicate(root, work.peers, progress).fetched_bytes
        except native.CancelledError:
            state, fetched = ReplicaState.WANTED, progress.stored_bytes
        except native.NativeError as error:
            state, problem = ReplicaState.STUCK, str(error)
            fetched = progress.stored_bytes
            _log.warning("cannot fetch", export=work.wanted.export, code=error.code, detail=problem)
        if problem and state is ReplicaState.COMPLETE:
            state = ReplicaState.DAMAGED
        with self._lock:
            work.progress = self._current = None
            work.fetched_bytes += fetched
            if is_doubted and state is ReplicaState.COMPLETE:
                work.healed_doubt = doubt
            work.state = ReplicaState.DAMAGED if work.is_doubted else state
            work.problem = problem
            again = _HEAL_AGAIN_SECONDS if work.is_doubted else _RETRY_SECONDS
            work.not_before = time.monotonic() + again
        if state is ReplicaState.COMPLETE:
            _log.info("complete", export=work.wanted.export, root=root, fetched_bytes=fetched)
            self.on_change()

    def _heal(self, peers: native.Peers, progress: native.Progress, root: str) -> tuple[int, str]:
        healed = self.store.heal(peers, progress)
        _log.info("healed", chunks=healed.healed_chunks, left=healed.unhealed_chunks)
        problem = "chunks are damaged, and no other server has them"
        return healed.fetched_bytes, problem if root in healed.affected_roots else ""
