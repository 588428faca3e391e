"""A stream process keeps the disks that its configuration names: made, offered, sealed, removed."""

import gc
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import corral_native as native
import pytest
from demo.processes import wait_until

from corral.farm.entrypoints.stream.overlays import BaseUnusableError, Ledger, OverlayKeeper
from corral.wire.overlay import Overlay, OverlayKind, OverlayReport, OverlayState
from tests.native.conftest import CHUNK, FARM, StoreWithDisk, write_disk
from tests.native.test_stream import PUBLIC_KEY

SECONDS = 60.0
NAME = "debian/1@pc1"
FIRST = UUID("5c1a9a0e-8d1f-4a59-9f0f-3c2b1a000001")
SECOND = UUID("5c1a9a0e-8d1f-4a59-9f0f-3c2b1a000002")
SUBJECT = UUID("5c1a9a0e-8d1f-4a59-9f0f-3c2b1a0000ff")


@dataclass
class Host:
    """What a stream process has of its host, with a store of one version."""

    filled: StoreWithDisk
    folder: Path
    ledger: str = "s1.overlays.json"
    is_base_there: bool = True
    store: native.Store = field(init=False)
    server: native.StreamServer = field(init=False)
    keeper: OverlayKeeper = field(init=False)

    def __post_init__(self) -> None:
        self.store = native.Store.open(self.filled.path, FARM)
        self.socket = self.folder / f"{self.ledger}.sock"
        self.server = native.StreamServer([(f"unix:{self.socket}", "open")], None, PUBLIC_KEY)
        ledger = Ledger(self.folder / self.ledger)
        self.keeper = OverlayKeeper(self.store, ledger, self.base, lambda: None)

    def base(self, root: str) -> native.ServedVersion:
        if not self.is_base_there:
            raise BaseUnusableError("version-unknown", "it is not here yet")
        return self.store.serve(root, native.Peers())

    def wanted(
        self, overlay: UUID = FIRST, *, limit: int = 1 << 30, sealing: bool = False
    ) -> Overlay:
        return Overlay(
            id=overlay,
            export=NAME,
            base=self.filled.root,
            subject=SUBJECT,
            kind=OverlayKind.MAINTENANCE,
            limit_bytes=limit,
            sealing=sealing,
        )

    def work(self) -> None:
        """One round of the process."""
        if self.keeper.work(self.server.sessions()):
            self.server.apply([], self.keeper.offers())

    def want(
        self, *overlays: Overlay, may_remove: bool = True, restored_at: int | None = None
    ) -> None:
        self.keeper.want(overlays, may_remove=may_remove, restored_at=restored_at)
        self.work()

    def report(self) -> OverlayReport:
        (report,) = self.keeper.reports(self.server.sessions())
        return report

    def until(self, state: OverlayState) -> OverlayReport:
        def is_so() -> bool:
            self.work()
            return self.report().state is state

        wait_until(is_so, SECONDS, f"it never became {state}")
        return self.report()

    def client(self, *commands: str) -> subprocess.CompletedProcess[str]:
        arguments = [argument for command in commands for argument in ("-c", command)]
        return subprocess.run(
            ["qemu-io", "-f", "raw", *arguments, self.url],
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )

    def staying_client(self) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            ["qemu-io", "-f", "raw", self.url],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        wait_until(lambda: self.report().clients == 1, SECONDS, "the client never came")
        return process

    @property
    def url(self) -> str:
        return f"nbd+unix:///{NAME}?socket={self.socket}"

    def on_disk(self) -> list[str]:
        return native.Overlay.list(self.store)

    def end(self) -> None:
        """As if the process had ended."""
        self.keeper.stop()
        self.server.apply([])
        self.server.stop()
        self.keeper._kept.clear()  # noqa: SLF001 - what a process that ends lets go
        gc.collect()


@pytest.fixture
def filled(tmp_path: Path) -> StoreWithDisk:
    disk = write_disk(tmp_path / "disk.raw", 40 * CHUNK)
    store = native.Store.create(tmp_path / "store", FARM)
    return StoreWithDisk(store, tmp_path / "store", disk, store.import_raw(disk, native.Progress()))


@pytest.fixture
def host(filled: StoreWithDisk, tmp_path: Path) -> Iterator[Host]:
    host = Host(filled, tmp_path)
    yield host
    host.end()


def test_what_a_client_wrote_is_there_in_the_next_process(host: Host) -> None:
    host.want(host.wanted())
    assert host.client("write -P 7 1M 64k", "flush").returncode == 0
    assert host.report().state is OverlayState.READY
    assert host.report().written_bytes == CHUNK
    host.end()
    again = Host(host.filled, host.folder)
    try:
        again.want(again.wanted())
        done = again.client("read -P 7 1M 64k")
        assert (done.returncode, "Pattern verification failed" in done.stdout) == (0, False)
    finally:
        again.end()


def test_one_that_is_no_longer_named_ends_its_client_and_is_removed(host: Host) -> None:
    host.want(host.wanted())
    with host.staying_client() as client:
        host.want(host.wanted(SECOND))
        wait_until(lambda: host.report().clients == 0, SECONDS, "its client was not ended")
        client.kill()

    def is_gone() -> bool:
        host.work()
        gc.collect()
        return host.on_disk() == [str(SECOND)]

    wait_until(is_gone, SECONDS, "it was not removed")
    assert Ledger(host.folder / host.ledger).ids() == {str(SECOND)}


def test_what_a_restored_farm_does_not_know_is_kept_and_what_it_gives_up_is_not(
    host: Host,
) -> None:
    """One began after the backup; the other was known to it, and is given up later."""
    host.want(host.wanted())
    host.want(host.wanted(), host.wanted(SECOND))
    for _ in range(2):
        host.want(host.wanted(), restored_at=1_000)
        gc.collect()
        host.work()
        assert host.on_disk() == [str(FIRST), str(SECOND)]
    host.end()
    again = Host(host.filled, host.folder)
    try:
        again.want(restored_at=1_000)

        def is_gone() -> bool:
            gc.collect()
            again.work()
            return again.on_disk() == [str(SECOND)]

        wait_until(is_gone, SECONDS, "it was not removed")
        again.want(again.wanted(SECOND), restored_at=1_000)
        assert again.report().state is OverlayState.READY
    finally:
        again.end()


def test_a_configuration_that_was_kept_removes_nothing(host: Host) -> None:
    host.want(host.wanted())
    host.want(may_remove=False)
    gc.collect()
    host.work()
    assert host.on_disk() == [str(FIRST)]


def test_another_server_with_the_same_folder_keeps_its_own(host: Host) -> None:
    host.want(host.wanted())
    other = Host(host.filled, host.folder, ledger="s2.overlays.json")
    try:
        other.want(other.wanted(SECOND))
        other.want()
        gc.collect()
        other.work()
        assert other.on_disk() == [str(FIRST)]
    finally:
        other.end()


def test_sealing_waits_for_the_client_and_makes_what_it_wrote_a_version(host: Host) -> None:
    host.want(host.wanted())
    assert host.client("write -P 9 2M 64k").returncode == 0
    with host.staying_client() as client:
        host.want(host.wanted(sealing=True))
        assert host.report().clients == 1
        assert host.report().state is OverlayState.READY
        client.communicate("quit\n", timeout=SECONDS)
    sealed = host.until(OverlayState.SEALED)
    assert sealed.sealed_size_bytes == 40 * CHUNK
    assert sealed.sealed_root is not None
    assert host.store.holds(sealed.sealed_root)
    assert host.client("read 0 512").returncode != 0, "a sealed disk is not offered"
    host.end()
    again = Host(host.filled, host.folder)
    try:
        again.want(again.wanted(sealing=True))
        assert again.until(OverlayState.SEALED).sealed_root == sealed.sealed_root
    finally:
        again.end()


def test_a_full_one_fails_that_write_and_says_so_until_there_is_room(host: Host) -> None:
    host.want(host.wanted(limit=2 * CHUNK))
    full = host.client("write -P 1 0 128k", "write -P 2 1M 64k", "write -P 3 0 64k")
    assert "No space left" in full.stdout + full.stderr
    assert full.stdout.count("wrote") == 2
    assert host.until(OverlayState.FULL).problem
    host.want(host.wanted(limit=4 * CHUNK))
    assert host.client("write -P 2 1M 64k").returncode == 0
    assert host.until(OverlayState.READY).limit_bytes == 4 * CHUNK


def test_without_the_version_below_it_fails_and_is_tried_again(host: Host) -> None:
    host.is_base_there = False
    host.want(host.wanted())
    assert host.report().state is OverlayState.FAILED
    assert host.report().problem == "it is not here yet"
    assert host.on_disk() == []
    host.is_base_there = True
    # Another word from the farm is tried at once.
    host.want(host.wanted(limit=1 << 20))
    assert host.report().state is OverlayState.READY


def test_a_ledger_that_cannot_be_read_is_as_good_as_none(tmp_path: Path) -> None:
    path = tmp_path / "s1.overlays.json"
    path.write_text("{")
    ledger = Ledger(path)
    assert ledger.ids() == frozenset()
    ledger.add("a")
    assert Ledger(path).ids() == {"a"}
    ledger.remove("a")
    assert Ledger(path).ids() == frozenset()
