"""The scrub in a stream process: when it reads, how fast, and what it says."""

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import corral_native as native
import pytest

from corral.farm.adapters.memory.sources import MemoryClock
from corral.farm.adapters.native.chunk_stores import NativeChunkStores
from corral.farm.adapters.scratch import TemporaryScratch
from corral.farm.application.ports.chunk_stores import Peers, ScrubOrder
from corral.farm.application.progress import Progress
from corral.farm.domain.estate.farm import FarmId
from corral.farm.domain.image.errors import WorkCancelledError
from corral.farm.entrypoints.stream.scrub import Scrubber, is_due, pace
from corral.wire.server import Scrubbing, ScrubPass, ScrubReport

CHUNK = 65_536
MIB = 1 << 20
DAY = 86_400
NOW = 1_800_000_000
FARM = "c0441a10-0000-4000-8000-000000000001"
FORTNIGHT = Scrubbing(rate=8 * MIB, every_seconds=14 * DAY)


def made_pass(*, started_at: int = NOW, total: int = 0, checked: int = 0) -> ScrubPass:
    return ScrubPass(
        started_at=started_at,
        total_bytes=total,
        checked_bytes=checked,
        damaged_chunks=0,
        healed_chunks=0,
    )


@pytest.mark.parametrize(
    ("last_began", "due"),
    [
        pytest.param(None, True, id="never"),
        pytest.param(NOW - 14 * DAY + 1, False, id="not yet"),
        pytest.param(NOW - 14 * DAY, True, id="now"),
        pytest.param(NOW, False, id="just now"),
        pytest.param(NOW + 1, True, id="in the future: a clock was wrong"),
    ],
)
def test_a_pass_begins_so_often(last_began: int | None, *, due: bool) -> None:
    last = None if last_began is None else made_pass(started_at=last_began)
    assert is_due(ScrubReport(last=last), 14 * DAY, NOW) is due


def test_no_pass_begins_while_one_is_under_way() -> None:
    assert not is_due(ScrubReport(under_way=made_pass(started_at=1)), 60, NOW)


def test_a_pass_is_spread_over_most_of_its_interval() -> None:
    total = 14 * DAY * MIB
    began = pace(FORTNIGHT, made_pass(total=total), NOW)
    assert MIB < began < 2 * MIB
    half_way = pace(FORTNIGHT, made_pass(total=total, checked=total // 2), NOW + 14 * DAY * 3 // 8)
    assert abs(half_way - began) < MIB // 100


def test_a_pass_that_is_late_takes_the_limit_and_no_more() -> None:
    behind = made_pass(started_at=NOW - 20 * DAY, total=1 << 40)
    assert pace(FORTNIGHT, behind, NOW) == 8 * MIB
    assert pace(FORTNIGHT, made_pass(total=1 << 50), NOW) == 8 * MIB


def test_a_small_store_is_read_slowly_but_not_for_ever() -> None:
    assert pace(FORTNIGHT, made_pass(total=MIB), NOW) == MIB
    slow = Scrubbing(rate=1024, every_seconds=DAY)
    assert pace(slow, made_pass(total=MIB), NOW) == 1024


class Clock:
    def __init__(self) -> None:
        self.seconds = NOW

    def __call__(self) -> int:
        return self.seconds


class Bench:
    """A scrubber over a small store, and what it told."""

    def __init__(self, folder: Path) -> None:
        image = folder / "image"
        image.write_bytes(b"".join(bytes([number]) * CHUNK for number in range(1, 9)))
        self.store = native.Store.create(folder / "store", FARM)
        self.root = self.store.import_raw(image, native.Progress()).root
        self.clock = Clock()
        self.told = threading.Event()
        self.damaged: tuple[frozenset[str], int] = (frozenset(), 0)
        self.scrubber = Scrubber(self.store, self.clock, self.told.set, self.note)

    def note(self, roots: frozenset[str], chunks: int) -> None:
        self.damaged = roots, chunks

    def damage(self) -> None:
        pack = next((self.store.path / "packs").iterdir())
        content = bytearray(pack.read_bytes())
        content[80] ^= 1
        pack.write_bytes(content)

    def wait_for(self, is_so: Callable[[ScrubReport], bool]) -> ScrubReport:
        for _ in range(600):
            report = self.scrubber.report()
            if report is not None and is_so(report):
                return report
            self.told.wait(0.1)
            self.told.clear()
        message = f"waited in vain: {self.scrubber.report()}"
        raise AssertionError(message)


def test_passes_are_made_and_damage_is_told(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.scrubber.start()
    try:
        bench.scrubber.want(FORTNIGHT, "")
        report = bench.wait_for(lambda seen: seen.passes == 1)
        assert report.last is not None
        assert (report.damaged_chunks, report.problem) == (0, "")
        assert bench.damaged == (frozenset(), 0)

        bench.damage()
        bench.clock.seconds += 14 * DAY
        bench.scrubber.want(FORTNIGHT.model_copy(update={"rate": 9 * MIB}), "")
        report = bench.wait_for(lambda seen: seen.passes == 2)
        assert (report.damaged_chunks, report.healed_chunks, report.unhealed_chunks) == (1, 0, 1)
        assert bench.damaged == (frozenset({bench.root}), 1)
    finally:
        bench.scrubber.stop()

    # The next process knows it before it has read anything.
    again = Scrubber(bench.store, bench.clock, bench.told.set, bench.note)
    bench.damaged = (frozenset(), 0)
    again.start()
    try:
        assert bench.damaged == (frozenset({bench.root}), 1)
    finally:
        again.stop()


def test_a_scrub_that_is_off_reads_nothing_but_hears_of_others(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.scrubber.start()
    try:
        bench.scrubber.want(Scrubbing(rate=0, every_seconds=60), "")
        other = native.Scrub.at_once(bench.store)
        assert other.begin(native.Progress(), NOW)
        while other.step(native.Peers(), native.Progress(), NOW) != "finished":
            pass
        other.pause(NOW)
        bench.scrubber.want(Scrubbing(rate=0, every_seconds=61), "")
        report = bench.wait_for(lambda seen: seen.passes == 1)
        assert report.last is not None
        assert report.last.started_at == NOW
    finally:
        bench.scrubber.stop()


def test_a_store_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    (bench.store.path / "locks").rename(bench.store.path / "moved")
    bench.scrubber.start()
    try:
        bench.scrubber.want(FORTNIGHT, "")
        report = bench.wait_for(lambda seen: seen.problem != "")
        assert "locks" in report.problem
    finally:
        bench.scrubber.stop()


def test_a_scrub_by_command_goes_on_where_it_was_cancelled(tmp_path: Path) -> None:
    bench, clock = Bench(tmp_path), MemoryClock()
    store = NativeChunkStores(TemporaryScratch()).open(bench.store.path, FarmId(UUID(FARM)))
    progress = Progress()
    slowly = ScrubOrder(Peers(), 1, clock.now(), clock)

    def cancel() -> None:
        while not progress.amounts().done_bytes:
            bench.told.wait(0.01)
        progress.cancel()

    thread = threading.Thread(target=cancel)
    thread.start()
    try:
        with pytest.raises(WorkCancelledError, match="scrub"):
            store.scrub(slowly, progress)
    finally:
        progress.cancel()
        bench.told.set()
        thread.join()
    began = native.Scrub.in_background(bench.store).state().under_way
    assert began is not None
    assert began.checked_bytes > 0
    clock.advance(timedelta(hours=1))
    again = replace(slowly, rate=None)
    assert store.scrub(again, Progress()).checked_bytes == began.checked_bytes
    state = native.Scrub.in_background(bench.store).state()
    assert state.last is not None
    assert (state.passes, state.last.started_at) == (1, began.started_at)
    # Asked for once more by the same, it is made; by somebody else, it is not.
    store.scrub(again, Progress())
    store.scrub(replace(again, since=clock.now()), Progress())
    assert native.Scrub.in_background(bench.store).state().passes == 2
