"""The stream server through the binding, with QEMU as its client."""

import json
import socket
import subprocess
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import corral_native as native
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from demo.processes import wait_until

from corral.farm.domain.access.ticket import Purpose, Ticket
from corral.farm.domain.image.root import RootHash
from tests.native.conftest import FARM, StoreWithDisk, reopened, write_disk

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC_KEY = KEY.public_key().public_bytes_raw()
DEVICE = UUID(int=7)
COMPUTER = UUID(int=9)
SECONDS = 60.0
SOON = datetime(2100, 1, 1, tzinfo=UTC)


def sealed(ticket: Ticket) -> str:
    return ticket.sealed(KEY.sign(ticket.message()))


def stream_ticket(root: str, expires_at: datetime = SOON) -> str:
    return sealed(Ticket(Purpose.STREAM, DEVICE, expires_at, RootHash(root)))


def fetch_ticket(root: str, expires_at: datetime = SOON) -> str:
    return sealed(Ticket(Purpose.FETCH, COMPUTER, expires_at, RootHash(root)))


REPLICATION_TICKET = sealed(Ticket(Purpose.REPLICATE, UUID(int=8), SOON))


@pytest.fixture
def server(filled: StoreWithDisk, tmp_path: Path) -> Iterator[native.StreamServer]:
    """Serves the disk as ``debian/1``, and the store's chunks."""
    server = native.StreamServer(
        [("127.0.0.1:0", "ticket"), (f"unix:{tmp_path}/nbd", "open")], "127.0.0.1:0", PUBLIC_KEY
    )
    server.serve_store(filled.store)
    server.apply([("debian/1", filled.store.serve(filled.root, native.Peers()))])
    yield server
    server.stop()


def compare(disk: Path, address: str, export: str) -> subprocess.CompletedProcess[str]:
    if address.startswith("unix:"):
        where = {"type": "unix", "path": address.removeprefix("unix:")}
    else:
        host, _, port = address.rpartition(":")
        where = {"type": "inet", "host": host, "port": port}
    node = {"driver": "raw", "file": {"driver": "nbd", "server": where, "export": export}}
    return subprocess.run(
        ["qemu-img", "compare", "-f", "raw", disk, f"json:{json.dumps(node)}"],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_a_version_is_read_back_byte_for_byte(
    server: native.StreamServer, filled: StoreWithDisk
) -> None:
    over_unix = compare(filled.disk, server.addresses[1], "debian/1")
    export = f"debian/1;{stream_ticket(filled.root)}"
    over_tcp = compare(filled.disk, server.addresses[0], export)
    assert (over_unix.returncode, over_tcp.returncode) == (0, 0), over_unix.stderr + over_tcp.stderr
    counters = server.counters()
    assert counters["logins"] == 2
    assert counters["bytes"] > 0
    assert sum(count for _, count in server.latency()) > 0


@pytest.mark.parametrize(
    "case", ["none", "expired", "other root", "replication", "fetching", "unsigned"]
)
def test_without_the_right_ticket_the_export_does_not_exist(
    server: native.StreamServer, filled: StoreWithDisk, case: str
) -> None:
    past = datetime(2020, 1, 1, tzinfo=UTC)
    ticket = {
        "none": "",
        "expired": stream_ticket(filled.root, past),
        "other root": stream_ticket("ab" * 32),
        "replication": REPLICATION_TICKET,
        "fetching": fetch_ticket(filled.root),
        "unsigned": Ticket(Purpose.STREAM, DEVICE, SOON, RootHash(filled.root)).sealed(bytes(64)),
    }[case]
    refused = compare(filled.disk, server.addresses[0], f"debian/1;{ticket}")
    assert refused.returncode != 0
    assert server.counters()["logins"] == 0


def test_a_session_says_who_streams_what(
    server: native.StreamServer, filled: StoreWithDisk, tmp_path: Path
) -> None:
    assert server.sessions() == []
    path = server.addresses[1].removeprefix("unix:")
    command = ["qemu-io", "-r", "-f", "raw", f"nbd+unix:///debian/1?socket={path}"]
    # Stays connected until its standard input ends.
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as client:
        wait_until(lambda: server.sessions() != [], SECONDS, "nobody came")
        (session,) = server.sessions()
        assert (session.export, session.root, session.subject) == ("debian/1", filled.root, None)
        assert not session.is_corral_client
        client.communicate()


def test_exports_are_those_that_were_applied_and_no_others(
    server: native.StreamServer, filled: StoreWithDisk
) -> None:
    server.apply([])
    assert compare(filled.disk, server.addresses[1], "debian/1").returncode != 0


def test_a_draining_server_lets_nobody_in_until_it_is_undrained(
    server: native.StreamServer, filled: StoreWithDisk
) -> None:
    server.drain()
    assert server.is_draining
    assert compare(filled.disk, server.addresses[1], "debian/1").returncode != 0
    server.undrain()
    assert compare(filled.disk, server.addresses[1], "debian/1").returncode == 0


def test_stopping_twice_is_no_error(server: native.StreamServer) -> None:
    server.stop()
    server.stop()
    host, _, port = server.addresses[0].rpartition(":")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, int(port)), timeout=10)


def test_an_address_that_is_taken_is_named(server: native.StreamServer) -> None:
    taken = server.addresses[0]
    with pytest.raises(native.StartError) as caught:
        native.StreamServer([(taken, "ticket")], None, PUBLIC_KEY)
    assert caught.value.code == "address-unusable"
    assert caught.value.fields["address"] == taken


@pytest.mark.parametrize(
    "listener", [("localhost", "ticket"), ("127.0.0.1:0", "everybody"), ("", "open")]
)
def test_a_listener_that_cannot_be_is_refused(listener: tuple[str, str]) -> None:
    with pytest.raises(ValueError, match="is not"):
        native.StreamServer([listener], None, PUBLIC_KEY)


def peers_of(server: native.StreamServer, ticket: str = REPLICATION_TICKET) -> native.Peers:
    return native.Peers([f"http://{server.chunk_address}"], ticket)


def test_a_version_is_replicated_and_only_what_is_missing_is_sent(
    server: native.StreamServer, filled: StoreWithDisk, tmp_path: Path
) -> None:
    second = native.Store.create(tmp_path / "second", FARM)
    done = second.replicate(filled.root, peers_of(server), native.Progress())
    assert second.holds(filled.root)
    assert done.fetched_bytes > 0
    again = second.replicate(filled.root, peers_of(server), native.Progress())
    assert again.fetched_chunks == 0
    assert second.verify(native.Progress()).is_sound
    # What is sent is counted after it has gone out.
    wait_until(
        lambda: server.counters()["chunk_sent_bytes"] >= done.fetched_bytes,
        SECONDS,
        "what was sent was not counted",
    )


def test_a_stranger_gets_no_chunks(
    server: native.StreamServer, filled: StoreWithDisk, tmp_path: Path
) -> None:
    second = native.Store.create(tmp_path / "second", FARM)
    for ticket in ("", "nonsense", stream_ticket(filled.root)):
        with pytest.raises(native.PeersError):
            second.replicate(filled.root, peers_of(server, ticket), native.Progress())
    assert second.versions() == []


def test_a_computer_fetches_the_version_of_its_ticket_and_no_other(
    server: native.StreamServer, filled: StoreWithDisk, tmp_path: Path
) -> None:
    other = filled.store.import_raw(write_disk(tmp_path / "other.raw"), native.Progress()).root
    mine = native.Store.create(tmp_path / "mine", FARM)
    for root, ticket in (
        (other, fetch_ticket(filled.root)),
        (filled.root, fetch_ticket(filled.root, datetime(2020, 1, 1, tzinfo=UTC))),
        (
            filled.root,
            Ticket(Purpose.FETCH, COMPUTER, SOON, RootHash(filled.root)).sealed(bytes(64)),
        ),
    ):
        with pytest.raises(native.PeersError) as caught:
            mine.replicate(root, peers_of(server, ticket), native.Progress())
        assert caught.value.code == "peers-lack-version"
    peers = peers_of(server, fetch_ticket(filled.root))
    assert mine.replicate(filled.root, peers, native.Progress()).fetched_chunks > 0
    assert mine.versions() == [filled.root]
    assert mine.verify(native.Progress()).is_sound


def test_a_replication_is_called_off_while_its_peer_is_silent(tmp_path: Path) -> None:
    store, progress = native.Store.create(tmp_path / "store", FARM), native.Progress()
    with socket.create_server(("127.0.0.1", 0)) as silent, ThreadPoolExecutor(1) as threads:
        peers = native.Peers([f"http://127.0.0.1:{silent.getsockname()[1]}"], REPLICATION_TICKET)
        asking = threads.submit(store.replicate, "ab" * 32, peers, progress)
        silent.settimeout(SECONDS)
        connection, _ = silent.accept()
        with connection:
            assert connection.recv(3, socket.MSG_WAITALL) == b"GET"
            progress.cancel()
            with pytest.raises(native.CancelledError):
                asking.result(SECONDS)
    assert store.versions() == []


def test_replications_at_one_pace_keep_to_it_together(
    server: native.StreamServer, filled: StoreWithDisk, tmp_path: Path
) -> None:
    pace = native.Pace()
    pace.set_rate(1)
    works: list[tuple[native.Progress, Future[native.Replicated]]] = []
    with ThreadPoolExecutor(2) as threads:
        try:
            for name in ("second", "third"):
                store, progress = native.Store.create(tmp_path / name, FARM), native.Progress(pace)
                done = threads.submit(store.replicate, filled.root, peers_of(server), progress)
                works.append((progress, done))
            (one, first), (other, second) = works
            # The page comes; after it there is nothing for minutes.
            wait_until(
                lambda: bool(one.stored_bytes and other.stored_bytes), SECONDS, "nothing came"
            )
            one.cancel()
            with pytest.raises(native.CancelledError):
                first.result(SECONDS)
            assert not second.done()
            pace.set_rate(None)
            assert second.result(SECONDS).fetched_chunks > 0
        finally:
            for progress, _ in works:
                progress.cancel()


def test_damage_is_healed_from_another_server(
    server: native.StreamServer, filled: StoreWithDisk, tmp_path: Path
) -> None:
    second = native.Store.create(tmp_path / "second", FARM)
    second.replicate(filled.root, peers_of(server), native.Progress())
    hurt = StoreWithDisk(second, tmp_path / "second", filled.disk, filled.imported)
    hurt.damage_packs()
    found = reopened(hurt)
    assert not found.verify(native.Progress()).is_sound
    report = found.heal(peers_of(server), native.Progress())
    assert report.is_sound
    assert report.fetched_chunks >= 1
    assert reopened(hurt).verify(native.Progress()).is_sound


def test_a_damaged_chunk_is_fetched_from_a_peer_when_it_is_read(
    server: native.StreamServer, filled: StoreWithDisk, tmp_path: Path
) -> None:
    second = native.Store.create(tmp_path / "second", FARM)
    second.replicate(filled.root, peers_of(server), native.Progress())
    hurt = StoreWithDisk(second, tmp_path / "second", filled.disk, filled.imported)
    hurt.damage_packs()
    version = reopened(hurt).serve(filled.root, peers_of(server))
    other = native.StreamServer([(f"unix:{tmp_path}/second-nbd", "open")], None, PUBLIC_KEY)
    other.apply([("debian/1", version)])
    read = compare(filled.disk, other.addresses[0], "debian/1")
    other.stop()
    assert read.returncode == 0, read.stdout + read.stderr
    assert version.counters().from_peers_chunks >= 1


def test_peers_can_be_changed_while_a_version_is_served(
    server: native.StreamServer, filled: StoreWithDisk, tmp_path: Path
) -> None:
    second = native.Store.create(tmp_path / "second", FARM)
    second.replicate(filled.root, peers_of(server), native.Progress())
    hurt = StoreWithDisk(second, tmp_path / "second", filled.disk, filled.imported)
    hurt.damage_packs()
    peers = native.Peers()
    version = reopened(hurt).serve(filled.root, peers)
    with pytest.raises(native.DamagedError):
        version.materialise(native.Progress())
    peers.set([f"http://{server.chunk_address}"], REPLICATION_TICKET)
    version.materialise(native.Progress())
