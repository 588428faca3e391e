"""Chunks under TLS: who is believed, who is not, and what somebody between can hear."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import corral_native as native
import pytest

from corral.farm.adapters.certificates import DerivedAuthority, new_key
from corral.farm.adapters.memory.farm_key import MemoryFarmKey
from corral.farm.domain.access.ticket import Purpose, Ticket
from corral.farm.domain.estate.farm import Farm, FarmId, FarmName
from corral.farm.domain.image.root import RootHash
from tests.integration.tls.ear import Ear
from tests.native.conftest import CHUNK, FARM, StoreWithDisk

LOOPBACK = "127.0.0.1"
SECONDS = 60.0
Serving = Callable[..., native.StreamServer]


class Authority:
    """A farm's key: it signs tickets, and certificates of which it can be said when they began."""

    def __init__(self) -> None:
        self.key = MemoryFarmKey()
        public_key = self.key.create()
        now = datetime.now(UTC)  # noqa: TID251 - whoever checks certificates has this clock
        self.now = now
        self.farm = Farm(FarmId(UUID(FARM)), FarmName("test"), public_key, (), now)
        self._authority = DerivedAuthority(self.key)

    @property
    def root(self) -> str:
        return self._authority.root(self.farm)

    def certificate(self, age: timedelta = timedelta(0), host: str = LOOPBACK) -> tuple[str, str]:
        private, public = new_key()
        made = self._authority.issue(self.farm, "s1", (host,), public, self.now - age)
        return made.text, private

    def ticket(self, root: str) -> str:
        ends = self.now + timedelta(days=1)
        ticket = Ticket(Purpose.FETCH, UUID(int=9), ends, RootHash(root))
        return ticket.sealed(self.key.sign(ticket.message()))


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture
def serving(filled: StoreWithDisk, authority: Authority) -> Iterator[Serving]:
    """Gives servers of the disk's chunks, under TLS or not; without a certificate at first."""
    servers: list[native.StreamServer] = []

    def serve(*, tls: bool = True) -> native.StreamServer:
        server = native.StreamServer([], f"{LOOPBACK}:0", authority.farm.public_key, chunk_tls=tls)
        server.serve_store(filled.store)
        servers.append(server)
        return server

    yield serve
    for server in servers:
        server.stop()


class Heard:
    """Takes one connection on a socket, answers the first that is said, and hears the rest."""

    def __init__(self, listener: socket.socket, answer: bytes, heard: bytearray) -> None:
        self._listener, self._answer, self._heard = listener, answer, heard
        self._thread = threading.Thread(target=self._hear)

    def __enter__(self) -> None:
        self._listener.settimeout(SECONDS)
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._thread.join()

    def _hear(self) -> None:
        connection, _ = self._listener.accept()
        with connection, suppress(ConnectionError):
            connection.settimeout(SECONDS)
            self._heard += connection.recv(65_536)
            if self._answer:
                connection.sendall(self._answer)
                while more := connection.recv(65_536):
                    self._heard += more


def url(server: native.StreamServer, scheme: str = "https") -> str:
    return f"{scheme}://{server.chunk_address}"


def refusal(tmp_path: Path, root: str, peers: native.Peers) -> str:
    """Fetch in vain; give why."""
    store = native.Store.open(tmp_path / "mine", FARM)
    with pytest.raises(native.PeersError) as caught:
        store.replicate(root, peers, native.Progress())
    assert caught.value.code == "peers-lack-version"
    return str(caught.value)


@pytest.fixture
def mine(tmp_path: Path) -> native.Store:
    return native.Store.create(tmp_path / "mine", FARM)


def test_a_version_comes_under_tls_and_the_certificate_may_be_renewed(
    serving: Serving, authority: Authority, filled: StoreWithDisk, mine: native.Store
) -> None:
    server = serving()
    server.show_certificate(*authority.certificate(timedelta(days=89)))
    server.show_certificate(*authority.certificate())
    peers = native.Peers([url(server)], authority.ticket(filled.root), authority.root)
    done = mine.replicate(filled.root, peers, native.Progress())
    assert done.fetched_chunks > 0
    assert mine.verify(native.Progress()).is_sound


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_somebody_between_hears_neither_ticket_nor_chunk(
    serving: Serving,
    authority: Authority,
    filled: StoreWithDisk,
    mine: native.Store,
    scheme: str,
) -> None:
    server = serving(tls=scheme == "https")
    server.show_certificate(*authority.certificate())
    ear = Ear(int(str(server.chunk_address).rpartition(":")[2]))
    ticket = authority.ticket(filled.root)
    peers = native.Peers([f"{scheme}://{LOOPBACK}:{ear.port}"], ticket, authority.root)
    done = mine.replicate(filled.root, peers, native.Progress())
    heard = ear.heard
    ear.close()
    assert len(heard) > done.fetched_bytes
    # Noise, which is sent as it is.
    disk = filled.disk.read_bytes()[: 8 * CHUNK]
    telling = [disk[at : at + 32] for at in range(0, len(disk), 4096)]
    # In the clear all of it is heard, which is why it is worth looking for.
    is_heard = scheme == "http"
    assert all((block in heard) is is_heard for block in telling)
    for word in (ticket, filled.root, "Bearer", "HTTP/1.1"):
        assert (word.lower().encode() in heard.lower()) is is_heard, word


@pytest.mark.parametrize(
    ("age", "host", "reason"),
    [
        (timedelta(days=91), LOOPBACK, "has expired"),
        (timedelta(days=-3), LOOPBACK, "not valid yet"),
        (timedelta(0), "192.0.2.1", "for other addresses"),
    ],
)
def test_a_certificate_that_is_not_good_is_refused(  # noqa: PLR0913, PLR0917 - one for each fixture
    serving: Serving,
    authority: Authority,
    filled: StoreWithDisk,
    mine: native.Store,
    tmp_path: Path,
    age: timedelta,
    host: str,
    reason: str,
) -> None:
    server = serving()
    server.show_certificate(*authority.certificate(age, host))
    peers = native.Peers([url(server)], authority.ticket(filled.root), authority.root)
    assert reason in refusal(tmp_path, filled.root, peers)
    assert mine.versions() == []
    assert server.counters()["chunk_requests"] == 0


def test_only_the_farms_own_root_is_believed(
    serving: Serving,
    authority: Authority,
    filled: StoreWithDisk,
    mine: native.Store,
    tmp_path: Path,
) -> None:
    server = serving()
    server.show_certificate(*authority.certificate())
    damaged = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    for root, reason in (
        (Authority().root, "not of this farm"),
        ("", "no root certificate is known"),
        ("ca.pem", "there is no certificate in it"),
        (damaged, "cannot be used"),
    ):
        peers = native.Peers([url(server)], authority.ticket(filled.root), root)
        assert reason in refusal(tmp_path, filled.root, peers)
    assert mine.versions() == []
    assert server.counters()["chunk_requests"] == 0


def test_an_https_url_is_never_asked_in_the_clear(
    authority: Authority, filled: StoreWithDisk, mine: native.Store, tmp_path: Path
) -> None:
    """Somebody between answers in the clear, or hangs up: no ticket is said for that."""
    ticket = authority.ticket(filled.root)
    for answer in (b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", b""):
        heard = bytearray()
        with socket.create_server((LOOPBACK, 0)) as between:
            peers = native.Peers(
                [f"https://{LOOPBACK}:{between.getsockname()[1]}"], ticket, authority.root
            )
            with Heard(between, answer, heard):
                refusal(tmp_path, filled.root, peers)
        assert heard.startswith(b"\x16\x03")
        assert ticket.encode() not in heard
    assert mine.versions() == []


def test_who_asks_in_the_clear_where_tls_is_demanded_gets_nothing(
    serving: Serving,
    authority: Authority,
    filled: StoreWithDisk,
    tmp_path: Path,
    mine: native.Store,
) -> None:
    server = serving()
    peers = native.Peers([url(server)], authority.ticket(filled.root), authority.root)
    # Before there is a certificate nobody is listened to.
    assert "no certificate yet" in refusal(tmp_path, filled.root, peers)
    server.show_certificate(*authority.certificate())
    plain = native.Peers([url(server, "http")], authority.ticket(filled.root), authority.root)
    refusal(tmp_path, filled.root, plain)
    assert server.counters()["chunk_requests"] == 0
    mine.replicate(filled.root, peers, native.Progress())
