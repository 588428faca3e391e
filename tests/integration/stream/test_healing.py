"""A stream process that hears of damage in its store puts it right by itself."""

from collections.abc import Iterator
from pathlib import Path
from threading import Event

import corral_native as native
import pytest
from demo.processes import wait_until

from corral.farm.entrypoints.stream.replication import Replicator
from corral.wire.server import Peer, Replica, ReplicaReport, ReplicaState
from tests.native.conftest import FARM, StoreWithDisk, reopened, write_disk
from tests.native.test_stream import PUBLIC_KEY, REPLICATION_TICKET

SECONDS = 60.0


@pytest.fixture
def filled(tmp_path: Path) -> StoreWithDisk:
    disk = write_disk(tmp_path / "disk.raw")
    store = native.Store.create(tmp_path / "store", FARM)
    imported = store.import_raw(disk, native.Progress())
    return StoreWithDisk(store, tmp_path / "store", disk, imported)


@pytest.fixture
def peer(filled: StoreWithDisk) -> Iterator[str]:
    """The chunk service of a server that has it all; gives its URL."""
    server = native.StreamServer([], "127.0.0.1:0", PUBLIC_KEY)
    server.serve_store(filled.store)
    yield f"http://{server.chunk_address}"
    server.stop()


@pytest.fixture
def hurt(filled: StoreWithDisk, peer: str, tmp_path: Path) -> native.Store:
    """Another server's store, whose packs went bad after it had fetched the version."""
    store = native.Store.create(tmp_path / "hurt", FARM)
    store.replicate(filled.root, native.Peers([peer], REPLICATION_TICKET), native.Progress())
    copy = StoreWithDisk(store, tmp_path / "hurt", filled.disk, filled.imported)
    copy.damage_packs()
    return reopened(copy)


def wanted(
    filled: StoreWithDisk, *urls: str, doubt: int
) -> dict[str, tuple[Replica, native.Peers]]:
    replica = Replica(
        root=filled.root,
        export="debian/1",
        signature="",
        size_bytes=filled.imported.size_bytes,
        peers=tuple(Peer(server="s1", url=url) for url in urls),
        doubt=doubt,
    )
    return {filled.root: (replica, native.Peers(list(urls), REPLICATION_TICKET))}


def report_once(replicator: Replicator, is_told: Event) -> ReplicaReport:
    wait_until(is_told.is_set, SECONDS, "the replicator said nothing")
    (report,) = replicator.reports()
    return report


def test_without_a_doubt_the_books_are_believed(filled: StoreWithDisk, hurt: native.Store) -> None:
    is_told = Event()
    replicator = Replicator(hurt, is_told.set)
    replicator.start()
    try:
        replicator.want(wanted(filled, doubt=0))
        assert report_once(replicator, is_told).state is ReplicaState.COMPLETE
    finally:
        replicator.stop()


def test_a_doubt_is_healed_from_the_peers_and_reported_by_its_number(
    filled: StoreWithDisk, peer: str, hurt: native.Store
) -> None:
    is_told = Event()
    replicator = Replicator(hurt, is_told.set)
    replicator.start()
    try:
        replicator.want(wanted(filled, peer, doubt=3))
        report = report_once(replicator, is_told)
        assert (report.state, report.healed_doubt) == (ReplicaState.COMPLETE, 3)
        assert report.fetched_bytes > 0
    finally:
        replicator.stop()
    assert hurt.verify(native.Progress()).is_sound


def test_a_doubt_that_nobody_can_heal_stands_until_somebody_can(
    filled: StoreWithDisk, peer: str, hurt: native.Store
) -> None:
    is_told = Event()
    replicator = Replicator(hurt, is_told.set)
    replicator.start()
    try:
        replicator.want(wanted(filled, doubt=1))

        def is_given_up() -> bool:
            return bool(replicator.reports()[0].problem)

        wait_until(is_given_up, SECONDS, "the healing did not end")
        (report,) = replicator.reports()
        assert (report.state, report.healed_doubt) == (ReplicaState.DAMAGED, 0)
        assert not is_told.is_set()
        # A peer appears: it is not waited for the next regular attempt.
        replicator.want(wanted(filled, peer, doubt=1))
        assert report_once(replicator, is_told).state is ReplicaState.COMPLETE
    finally:
        replicator.stop()
