"""What others wrote, writing to a device's disk: libnbd, nbdcopy and QEMU's tools."""

import errno
import os
import random
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import quote

import corral_native
import pytest

from tests.e2e.interop.disk import MEBIBYTE, Disk
from tests.e2e.interop.test_interop_libnbd import connected, refusal, say_anything
from tests.e2e.interop.tools import Handle, libnbd, run, sha256

FARM = "6f1c9f0e-5f0b-4c0e-9a53-0f6f3f5d9b11"
FIRST, SECOND = (f"5c1a9a0e-8d1f-4a59-9f0f-3c2b1a00000{number}" for number in (1, 2))
ENOUGH = 1 << 40
KEY = bytes([1, *bytes(31)])


@dataclass
class Writable:
    """A stream server with two devices' disks over one version."""

    address: str
    socket: Path
    store: corral_native.Store
    overlays: dict[str, corral_native.Overlay]

    def uri(self, transport: str, device: str = "pc1") -> str:
        name = quote(f"debian/1@{device}", safe="")
        if transport == "unix":
            return f"nbd+unix:///{name}?socket={self.socket}"
        return f"nbd://{self.address}/{name}"

    @property
    def version_uri(self) -> str:
        return f"nbd+unix:///{quote('debian/1')}?socket={self.socket}"


@contextmanager
def serve(disk: Path, folder: Path, sockets: Path) -> Iterator[Writable]:
    store = corral_native.Store.create(folder / "store", FARM)
    root = store.import_raw(disk, corral_native.Progress()).root
    version = store.serve(root, corral_native.Peers())
    overlays = {
        device: corral_native.Overlay.create(store, overlay, version, ENOUGH)
        for device, overlay in (("pc1", FIRST), ("pc2", SECOND))
    }
    socket = sockets / "writing.sock"
    listeners = [(f"unix:{socket}", "open"), ("127.0.0.1:0", "open")]
    server = corral_native.StreamServer(listeners, None, KEY)
    disks = [(f"debian/1@{device}", disk, bytes(16)) for device, disk in overlays.items()]
    server.apply([("debian/1", version)], disks)
    try:
        yield Writable(server.addresses[1], socket, store, overlays)
    finally:
        server.stop()


@pytest.fixture
def writable(disk: Disk, tmp_path: Path) -> Iterator[Writable]:
    with serve(disk.path, tmp_path, tmp_path) as writable:
        yield writable


@pytest.fixture(params=["unix", "tcp"])
def uri(request: pytest.FixtureRequest, writable: Writable) -> str:
    return writable.uri(request.param)


@pytest.fixture(name="nbd")
def _nbd() -> ModuleType:
    return libnbd()


@pytest.fixture
def other(disk: Disk, tmp_path: Path) -> Path:
    """Another image of the same size: some of it as it was, some random, some zero."""
    source = random.Random(3)  # noqa: S311 - test data, not a secret
    content = bytearray(disk.content())
    for _ in range(40):
        start = source.randrange(0, len(content) - MEBIBYTE)
        length = source.randrange(1, MEBIBYTE)
        change = bytes(length) if source.random() < 0.3 else source.randbytes(length)
        content[start : start + length] = change
    path = tmp_path / "other.raw"
    path.write_bytes(content)
    return path


def test_nbdcopy_writes_an_image_and_reads_the_same(uri: str, other: Path, tmp_path: Path) -> None:
    run("nbdcopy", "--flush", other, uri)
    copy = tmp_path / "copy.raw"
    run("nbdcopy", uri, copy)
    assert sha256(copy) == sha256(other)


def test_qemu_img_writes_an_image_and_finds_it_equal(uri: str, other: Path) -> None:
    run("qemu-img", "convert", "-n", "-f", "raw", "-O", "raw", other, uri)
    run("qemu-img", "compare", "-f", "raw", "-F", "raw", other, uri)


def test_qemu_io_writes_with_every_promise(uri: str) -> None:
    commands = (
        "write -P 1 4k 64k",
        "write -f -P 2 68k 4k",
        "write -z 128k 64k",
        "write -z -u 192k 64k",
        "discard 256k 64k",
        "flush",
        "read -P 1 4k 64k",
        "read -P 2 68k 4k",
        "read -P 0 128k 192k",
    )
    arguments = [word for command in commands for word in ("-c", command)]
    done = run("qemu-io", "-f", "raw", *arguments, uri)
    assert "failed" not in done.stdout


def test_what_is_offered_is_what_libnbd_sees(nbd: ModuleType, uri: str) -> None:
    with connected(nbd, uri) as handle:
        offered = ("flush", "fua", "trim", "zero", "fast_zero", "cache", "df")
        assert {one: getattr(handle, f"can_{one}")() for one in offered} == dict.fromkeys(
            offered, True
        )
        assert not handle.is_read_only()
        assert not handle.can_multi_conn()


def test_libnbd_writes_of_many_sizes_in_flight_together(nbd: ModuleType, uri: str) -> None:
    source = random.Random(7)  # noqa: S311 - test data, not a secret
    model = bytearray(8 * MEBIBYTE)
    with connected(nbd, uri) as handle:
        handle.zero(len(model), 0)
        at, cookies = 0, []
        while at < len(model) - 200_000:
            piece = source.randbytes(source.choice((1, 511, 4096, 65_537, 150_000)))
            model[at : at + len(piece)] = piece
            cookies.append(handle.aio_pwrite(nbd.Buffer.from_bytearray(bytearray(piece)), at))
            at += len(piece) + source.randrange(0, 5000)
        while not all(handle.aio_command_completed(cookie) for cookie in cookies[-1:]):
            handle.poll(-1)
        while handle.aio_in_flight():
            handle.poll(-1)
        handle.flush()
        assert handle.pread(len(model), 0) == model


PIECE = 96 * 1024
"""What one of many commands in flight is about, each in a place of its own."""


@dataclass
class InFlight:
    """Many commands under way on one connection, and what was answered to them."""

    nbd: ModuleType
    handle: Handle
    model: bytearray
    answered: list[int] = field(default_factory=list)
    read: dict[int, bytearray] = field(default_factory=dict)
    described: dict[int, int] = field(default_factory=dict)

    def ask(self, number: int, kind: str, content: bytes) -> None:
        """Send a command for the piece of this number."""
        at, handle, done = number * PIECE, self.handle, self._done(number)
        match kind:
            case "write":
                flags = self.nbd.CMD_FLAG_FUA if number % 5 == 0 else 0
                buffer = self.nbd.Buffer.from_bytearray(bytearray(content))
                handle.aio_pwrite(buffer, at, done, flags)
            case "zero":
                handle.aio_zero(PIECE, at, done)
            case "trim":
                handle.aio_trim(PIECE, at, done)
            case "read":
                self.read[at] = bytearray(b"\xee" * PIECE)
                handle.aio_pread_structured(self.nbd.Buffer(PIECE), at, self._chunk, done)
            case "status":
                handle.aio_block_status(PIECE, at, self._extents, done)
            case _:
                handle.aio_flush(done)
        if kind in {"write", "zero", "trim"}:
            self.model[at : at + PIECE] = content if kind == "write" else bytes(PIECE)

    def _done(self, number: int) -> Callable[[Any], int]:
        def note(error: Any) -> int:  # noqa: ANN401 - libnbd's own integer
            assert error.value == 0
            self.answered.append(number)
            return 0

        return note

    def _chunk(self, data: bytes, offset: int, _status: int, _error: object) -> int:
        at = offset // PIECE * PIECE
        self.read[at][offset - at : offset - at + len(data)] = data
        return 0

    def _extents(self, _name: str, offset: int, entries: list[int], _error: object) -> int:
        self.described[offset] = sum(entries[::2])
        return 0


def test_commands_of_every_kind_in_flight_are_each_answered_once_in_whatever_order(
    nbd: ModuleType, uri: str, disk: Disk
) -> None:
    source = random.Random(11)  # noqa: S311 - test data, not a secret
    count = 160
    kinds = ("write", "write", "zero", "trim", "read", "status", "flush")
    before = disk.content()
    with connected(nbd, uri, lambda handle: handle.add_meta_context("base:allocation")) as handle:
        assert handle.get_structured_replies_negotiated()
        flight = InFlight(nbd, handle, bytearray(before))
        for number in range(count):
            flight.ask(number, source.choice(kinds), source.randbytes(PIECE))
        while len(flight.answered) < count:
            handle.poll(-1)
        assert sorted(flight.answered) == list(range(count))
        assert flight.read
        assert all(got == before[at : at + PIECE] for at, got in flight.read.items())
        assert flight.described
        assert all(length >= PIECE for length in flight.described.values())
        handle.flush()
        for at in range(0, count * PIECE, 8 * MEBIBYTE):
            length = min(8 * MEBIBYTE, count * PIECE - at)
            assert handle.pread(length, at) == flight.model[at : at + length]


def test_what_cannot_be_is_refused_and_the_connection_goes_on(
    nbd: ModuleType, writable: Writable
) -> None:
    with connected(nbd, writable.uri("unix")) as handle:
        size = handle.get_size()
        say_anything(nbd, handle)
        slow = nbd.CMD_FLAG_FAST_ZERO | nbd.CMD_FLAG_NO_HOLE
        assert refusal(nbd, lambda: handle.zero(4096, 0, slow)) == "ENOTSUP"
        handle.zero(4096, 0, nbd.CMD_FLAG_FAST_ZERO)
        assert refusal(nbd, lambda: handle.pwrite(b"xy", size - 1)) == "ENOSPC"
        assert refusal(nbd, lambda: handle.trim(2, size - 1)) == "EINVAL"
        assert refusal(nbd, lambda: handle.pwrite(b"x", 0, nbd.CMD_FLAG_NO_HOLE)) == "EINVAL"
        handle.pwrite(b"good", 0, nbd.CMD_FLAG_FUA)
        assert handle.pread(4, 0) == b"good"
    with connected(nbd, writable.version_uri) as handle:
        say_anything(nbd, handle)
        assert refusal(nbd, lambda: handle.pwrite(b"x", 0)) == "EPERM"


def test_who_comes_again_takes_over(nbd: ModuleType, writable: Writable) -> None:
    uri = writable.uri("tcp")
    before = nbd.NBD()
    before.connect_uri(uri)
    before.pwrite(b"before", 0)
    with connected(nbd, uri) as handle:
        assert handle.pread(6, 0) == b"before"
        handle.pwrite(b"after!", 0)
        with pytest.raises(nbd.Error):
            before.pwrite(b"ghost!", 0)
        assert handle.pread(6, 0) == b"after!"


def test_a_full_file_system_fails_the_write_that_finds_no_room_and_disturbs_nobody(
    nbd: ModuleType, tmp_path: Path
) -> None:
    disk = tmp_path / "small.raw"
    disk.write_bytes(os.urandom(MEBIBYTE))
    os.truncate(disk, 32 * MEBIBYTE)
    with small_file_system(tmp_path / "small") as folder, serve(disk, folder, tmp_path) as writable:
        uris = (writable.uri("unix"), writable.uri("unix", "pc2"), writable.version_uri)
        with (
            connected(nbd, uris[0]) as greedy,
            connected(nbd, uris[1]) as modest,
            connected(nbd, uris[2]) as reader,
        ):
            modest.pwrite(b"m" * 65_536, 0)
            filled = fill(nbd, greedy)
            assert 0 < filled < 24 * MEBIBYTE
            # What needs no room goes on, for the one as for the other, and reads go on.
            greedy.pwrite(b"G" * 4096, 0)
            assert greedy.pread(4096, filled - 4096) == b"g" * 4096
            modest.pwrite(b"M" * 65_536, 0)
            modest.flush()
            assert modest.pread(65_536, 0) == b"M" * 65_536
            assert reader.pread(MEBIBYTE, 0) == disk.read_bytes()[:MEBIBYTE]
            assert writable.overlays["pc1"].usage().is_full
            # Room comes back, and with it the writes.
            greedy.trim(filled - MEBIBYTE, MEBIBYTE)
            greedy.pwrite(b"h" * MEBIBYTE, filled)
            assert greedy.pread(4, filled) == b"hhhh"


def fill(nbd: ModuleType, handle: Handle) -> int:
    """Write until there is no space; gives how many bytes were taken."""
    filled = 0
    while True:
        try:
            handle.pwrite(b"g" * MEBIBYTE, filled)
        except nbd.Error as error:
            assert error.errnum == errno.ENOSPC  # noqa: PT017 - the loop needs the error
            return filled
        filled += MEBIBYTE


@contextmanager
def small_file_system(folder: Path) -> Iterator[Path]:
    if os.geteuid() != 0:
        pytest.skip("only root may mount a tmpfs")
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(folder)]
    made = subprocess.run(mount, check=False, capture_output=True, text=True)
    if made.returncode != 0:
        pytest.skip(f"cannot mount a tmpfs here: {made.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
