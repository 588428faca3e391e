"""Have every version be here that should be, and nothing else."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from corral.engine.domain.failures import FetchCancelledError, FetchFailedError
from corral.engine.domain.fetching import (
    AtHand,
    FetchState,
    needs,
    next_fetch,
    state_of,
    unneeded_roots,
)
from corral.engine.domain.orders import allowed_rate
from corral.engine.domain.report import Transfer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from corral.engine.application.keeper import Keeper
    from corral.engine.application.ports import Chunks, Clock, Fetching, Records
    from corral.engine.domain.fetching import Fetch, Need
    from corral.engine.domain.machine.record import MachineKey
    from corral.engine.domain.moment import Moment

_RETRY_SECONDS: Final = 5.0
_RATE_SECONDS: Final = 2.0


@dataclass
class _Trouble:
    """What went wrong with a version the last time."""

    code: str
    problem: str
    at: Moment


@dataclass
class FetchVersions:
    """Fetches one version after the other, the most urgent first. ``__call__`` has one thread."""

    keeper: Keeper
    records: Records
    chunks: Chunks
    clock: Clock
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _current: tuple[Fetch, Fetching] | None = None
    _measured: tuple[Moment, int, int] | None = None
    """When, bytes by then, bytes a second."""
    _troubles: dict[str, _Trouble] = field(default_factory=dict)
    _done: dict[str, int] = field(default_factory=dict)
    """Plain bytes that were seen to be here, of versions that are not fetched at the moment."""
    _readers: frozenset[MachineKey] = frozenset()
    """Machines that had come up from what is being fetched when that began."""
    _is_stopping: bool = False

    def __call__(self) -> bool:
        """Fetch or free something; False if there is nothing to do now."""
        if not self.chunks.is_open():
            return False
        wanted = self._needs()
        fetch = self._choose(wanted)
        if fetch is None:
            return self._free(wanted)
        handle = self.chunks.begin()
        with self._lock:
            if self._is_stopping:
                return False
            self._current = (fetch, handle)
            self._readers = self._reading(fetch.root)
            self._measured = None
        try:
            self._limit(handle)
            self.chunks.fetch(self._from_best(fetch), handle)
        except FetchCancelledError:
            return True
        except FetchFailedError as error:
            trouble = _Trouble(error.why, error.message, self.clock.now())
            with self._lock:
                self._troubles[fetch.root] = trouble
        else:
            with self._lock:
                self._troubles.pop(fetch.root, None)
            self.keeper.on_news()
        finally:
            size = next(need.size_bytes for need in wanted if need.root == fetch.root)
            with self._lock:
                self._current = None
                before = self._done.get(fetch.root, 0)
                self._done[fetch.root] = max(before, _done_of(size, handle))
            self.keeper.on_change()
        return True

    def look_again(self) -> None:
        """End what is being fetched if something else is more urgent now, or it is paused.

        Or to begin it anew, because a guest has come up from it: what that has read meanwhile is
        here, and whoever fetches looks for that only as it begins.
        """
        with self._lock:
            current = self._current
        if current is None:
            return
        fetch, handle = current
        chosen = self._choose(self._needs())
        has_readers = bool(self._reading(fetch.root) - self._readers)
        if chosen is None or chosen.root != fetch.root or has_readers:
            handle.cancel()
        else:
            self._limit(handle)

    def stop(self) -> None:
        """End at once; what has come stays."""
        with self._lock:
            self._is_stopping = True
            if self._current is not None:
                self._current[1].cancel()

    def transfers(self) -> Mapping[str, Transfer]:
        """Say how far every version is that should be here."""
        if not self.chunks.is_open():
            return {}
        wanted = self._needs()
        at_hand = self._at_hand(wanted)
        is_pausing = self.records.is_pausing()
        orders = self.keeper.orders
        states = {need: state_of(need, orders, at_hand, is_pausing=is_pausing) for need in wanted}
        with self._lock:
            return {need.root: self._transfer(need, state) for need, state in states.items()}

    def _transfer(self, need: Need, state: FetchState) -> Transfer:
        if state is FetchState.HERE:
            return Transfer(state, need.size_bytes, need.size_bytes)
        done, rate = self._done.get(need.root, 0), 0
        if self._current is not None and self._current[0].root == need.root:
            state = FetchState.FETCHING
            handle = self._current[1]
            done = max(done, _done_of(need.size_bytes, handle))
            rate = self._rate(handle)
        trouble = self._troubles.get(need.root)
        if trouble is None:
            return Transfer(state, done, need.size_bytes, rate)
        return Transfer(state, done, need.size_bytes, rate, trouble.code, trouble.problem)

    def _rate(self, handle: Fetching) -> int:
        """Give what came in lately, measured over a few seconds."""
        now, stored = self.clock.now(), handle.stored_bytes
        if self._measured is None:
            self._measured = (now, stored, 0)
            return 0
        since, before, rate = self._measured
        seconds = now.seconds_since(since) or 0.0
        if seconds >= _RATE_SECONDS:
            rate = int((stored - before) / seconds)
            self._measured = (now, stored, rate)
        return rate

    def _needs(self) -> list[Need]:
        return needs(self.keeper.machines, self.keeper.orders, self.keeper.abilities)

    def _at_hand(self, wanted: list[Need]) -> AtHand:
        roots = frozenset(need.root for need in wanted)
        return AtHand(self.chunks.held(roots), self.chunks.carried(roots))

    def _choose(self, wanted: list[Need]) -> Fetch | None:
        orders, at_hand = self.keeper.orders, self._at_hand(wanted)
        if orders is not None and allowed_rate(orders, self.clock.minute_of_day()) == 0:
            # The line is not to be used; a medium is none.
            wanted = [need for need in wanted if need.root in at_hand.carried]
        now = self.clock.now()
        with self._lock:
            troubled = {
                root
                for root, trouble in self._troubles.items()
                if not now.has_passed(trouble.at, _RETRY_SECONDS)
            }
        due = [need for need in wanted if need.root not in troubled]
        return next_fetch(due, orders, at_hand, is_pausing=self.records.is_pausing())

    def _reading(self, root: str) -> frozenset[MachineKey]:
        """Give the machines whose guests have come up from a version."""
        return frozenset(
            key
            for key, machine in self.keeper.machines.items()
            if machine.start is not None
            and machine.start.root == root
            and machine.boot_milliseconds is not None
        )

    def _from_best(self, fetch: Fetch) -> Fetch:
        """Ask the best source alone, and the others only after that went wrong.

        Asked together they would share the work, and the best is the one that stands nearest: what
        it has need not come over a longer line.
        """
        with self._lock:
            is_in_trouble = fetch.root in self._troubles
        return fetch if is_in_trouble else replace(fetch, urls=fetch.urls[:1])

    def _limit(self, handle: Fetching) -> None:
        orders = self.keeper.orders
        rate = None if orders is None else allowed_rate(orders, self.clock.minute_of_day())
        handle.set_rate(rate)

    def _free(self, wanted: list[Need]) -> bool:
        here = self.chunks.here()
        gone = unneeded_roots(here, self.keeper.machines.values(), wanted)
        if not gone:
            return False
        with self._lock:
            for root in gone:
                self._done.pop(root, None)
        self.chunks.remove(gone)
        self.chunks.collect(here - gone | {need.root for need in wanted})
        return True


def _done_of(size_bytes: int, handle: Fetching) -> int:
    return min(size_bytes, size_bytes * handle.done_bytes // max(handle.total_bytes, 1))
