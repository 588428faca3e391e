"""Libnbd called from Python: what a command line does not reach."""

import errno
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType

import pytest

from tests.e2e.interop.disk import CHUNK_BYTES, MEBIBYTE, PATTERN_START, SIZE_BYTES, Disk
from tests.e2e.interop.serving import EXPORT, Served
from tests.e2e.interop.tools import Handle, libnbd

MAX_READ_BYTES = 32 * MEBIBYTE


@pytest.fixture(name="nbd")
def _nbd() -> ModuleType:
    return libnbd()


@pytest.fixture(scope="module")
def content(disk: Disk) -> bytes:
    return disk.content()


@contextmanager
def connected(
    nbd: ModuleType, uri: str, prepare: Callable[[Handle], object] = id
) -> Iterator[Handle]:
    """A connection to the export; ``prepare`` may set what must be set before the handshake."""
    handle = nbd.NBD()
    prepare(handle)
    handle.connect_uri(uri)
    try:
        yield handle
    finally:
        handle.shutdown(nbd.SHUTDOWN_ABANDON_PENDING)


def say_anything(nbd: ModuleType, handle: Handle) -> None:
    """Let requests out that libnbd itself knows to be wrong: the server is to judge them."""
    handle.set_strict_mode(0)


def refusal(nbd: ModuleType, request: Callable[[], object]) -> str:
    """The error that the server answers, by its name."""
    with pytest.raises(nbd.Error) as refused:
        request()
    return errno.errorcode[refused.value.errnum] if refused.value.errnum else "unknown"


def test_reads_of_many_sizes_in_flight_together_bring_the_right_bytes(
    nbd: ModuleType, uri: str, content: bytes
) -> None:
    source = random.Random(5)  # noqa: S311 - test data, not a secret
    reads = []
    with connected(nbd, uri) as handle:
        for _ in range(300):
            length = source.choice([1, 512, 4096, 4097, 65_536, 200_000, MEBIBYTE])
            offset = source.randrange(SIZE_BYTES - length)
            buffer = nbd.Buffer(length)
            reads.append((handle.aio_pread(buffer, offset), offset, length, buffer))
        while handle.aio_in_flight():
            handle.poll(-1)
        for cookie, offset, length, buffer in reads:
            assert handle.aio_command_completed(cookie)
            assert buffer.to_bytearray() == content[offset : offset + length], (offset, length)


@pytest.mark.parametrize("structured", [True, False])
def test_structured_and_simple_replies_carry_the_same_bytes(
    nbd: ModuleType, uri: str, content: bytes, *, structured: bool
) -> None:
    def prepare(handle: Handle) -> None:
        handle.set_request_structured_replies(structured)

    with connected(nbd, uri, prepare) as handle:
        assert handle.get_structured_replies_negotiated() is structured
        for offset in range(0, SIZE_BYTES, MAX_READ_BYTES):
            length = min(MAX_READ_BYTES, SIZE_BYTES - offset)
            assert handle.pread(length, offset) == content[offset : offset + length]


def test_a_client_of_the_oldest_newstyle_reads_the_image(
    nbd: ModuleType, uri: str, content: bytes
) -> None:
    """Without the fixed-newstyle flag libnbd has only EXPORT_NAME, which brings 124 zero bytes."""
    with connected(nbd, uri, lambda handle: handle.set_handshake_flags(0)) as handle:
        assert handle.get_size() == SIZE_BYTES
        assert handle.pread(MEBIBYTE, 0) == content[:MEBIBYTE]


def test_do_not_fragment_brings_one_chunk(nbd: ModuleType, uri: str, content: bytes) -> None:
    hole_and_data = PATTERN_START - 3 * CHUNK_BYTES
    pieces = []

    def piece(data: bytes, offset: int, status: int, _error: object) -> int:
        pieces.append((bytes(data), offset, status))
        return 0

    with connected(nbd, uri) as handle:
        got = handle.pread_structured(6 * CHUNK_BYTES, hole_and_data, piece, nbd.CMD_FLAG_DF)
    assert got == content[hole_and_data : hole_and_data + 6 * CHUNK_BYTES]
    assert pieces == [(bytes(got), hole_and_data, nbd.READ_DATA)]


def test_chunks_of_a_read_cover_it_exactly(nbd: ModuleType, uri: str, content: bytes) -> None:
    start, length = 36 * MEBIBYTE + 100, 3 * MEBIBYTE
    covered = bytearray(length)
    lengths = []

    def piece(data: bytes, offset: int, _status: int, _error: object) -> int:
        covered[offset - start : offset - start + len(data)] = data
        lengths.append(len(data))
        return 0

    with connected(nbd, uri) as handle:
        got = handle.pread_structured(length, start, piece)
    assert got == covered == content[start : start + length]
    assert sum(lengths) == length


@pytest.mark.parametrize(
    "request_name", ["write", "write with FUA", "trim", "zero", "write of nothing at the end"]
)
def test_what_would_write_is_not_permitted_and_the_connection_goes_on(
    nbd: ModuleType, uri: str, content: bytes, request_name: str
) -> None:
    with connected(nbd, uri, lambda handle: say_anything(nbd, handle)) as handle:
        requests: dict[str, Callable[[], object]] = {
            "write": lambda: handle.pwrite(b"x" * 70_000, 4096),
            "write with FUA": lambda: handle.pwrite(b"x" * 512, 0, nbd.CMD_FLAG_FUA),
            "trim": lambda: handle.trim(4096, 0),
            "zero": lambda: handle.zero(4096, 0),
            "write of nothing at the end": lambda: handle.pwrite(b"x", SIZE_BYTES - 1),
        }
        assert refusal(nbd, requests[request_name]) == "EPERM"
        assert handle.pread(512, 0) == content[:512]


def test_flush_and_cache_succeed(nbd: ModuleType, uri: str) -> None:
    with connected(nbd, uri) as handle:
        assert handle.can_flush()
        assert handle.can_cache()
        handle.flush()
        handle.cache(MEBIBYTE, PATTERN_START)
        handle.cache(MAX_READ_BYTES, 0)


def test_a_request_that_is_too_large_is_refused_and_the_connection_goes_on(
    nbd: ModuleType, uri: str, content: bytes
) -> None:
    with connected(nbd, uri, lambda handle: say_anything(nbd, handle)) as handle:
        too_large = MAX_READ_BYTES + 1
        assert refusal(nbd, lambda: handle.pread(too_large, 0)) in {"EINVAL", "EOVERFLOW", "ERANGE"}
        assert handle.pread(512, 0) == content[:512]
        assert handle.pread(MAX_READ_BYTES, 0) == content[:MAX_READ_BYTES]


@pytest.mark.parametrize(
    ("offset", "length"),
    [(SIZE_BYTES, 1), (SIZE_BYTES - 1, 2), (2**63, 512), (2**64 - 512, 512), (2**64 - 512, 4096)],
)
def test_a_read_outside_of_the_image_is_refused_and_the_connection_goes_on(
    nbd: ModuleType, uri: str, content: bytes, offset: int, length: int
) -> None:
    with connected(nbd, uri, lambda handle: say_anything(nbd, handle)) as handle:
        assert refusal(nbd, lambda: handle.pread(length, offset)) == "EINVAL"
        assert handle.pread(1, SIZE_BYTES - 1) == content[-1:]


def test_an_unknown_flag_is_refused_and_the_connection_goes_on(
    nbd: ModuleType, uri: str, content: bytes
) -> None:
    with connected(nbd, uri, lambda handle: say_anything(nbd, handle)) as handle:
        assert refusal(nbd, lambda: handle.flush(1 << 15)) == "EINVAL"
        assert handle.pread(512, 0) == content[:512]


def test_block_status_of_a_part_begins_where_it_was_asked(
    nbd: ModuleType, uri: str, disk: Disk
) -> None:
    start, length = PATTERN_START + 1000, 8 * MEBIBYTE
    seen: list[int] = []

    def extents(name: str, offset: int, entries: list[int], _error: object) -> int:
        assert (name, offset) == ("base:allocation", start)
        seen.extend(entries)
        return 0

    with connected(nbd, uri, lambda handle: handle.add_meta_context("base:allocation")) as handle:
        handle.block_status(length, start, extents)
        every, seen = seen, []
        handle.block_status(length, start, extents, nbd.CMD_FLAG_REQ_ONE)
        one = seen
    expected = []
    for extent in disk.extents():
        overlap = min(extent.start + extent.length, start + length) - max(extent.start, start)
        if overlap > 0:
            expected += [overlap, 3 if extent.is_hole else 0]
    assert every[: len(expected) - 2] == expected[:-2]  # the last one may reach further
    assert len(one) == 2
    assert 0 < one[0] <= expected[0]
    assert one[1] == expected[1]


def test_a_context_that_was_not_negotiated_cannot_be_asked(nbd: ModuleType, uri: str) -> None:
    with connected(nbd, uri, lambda handle: say_anything(nbd, handle)) as handle:
        status = lambda: handle.block_status(4096, 0, lambda *_: 0)  # noqa: E731
        assert refusal(nbd, status) == "EINVAL"


def test_only_the_root_of_the_export_is_granted_as_a_context(
    nbd: ModuleType, served: Served, uri: str
) -> None:
    other = "0" * 63 + "1"

    def prepare(handle: Handle) -> None:
        for root in (served.root, other):
            handle.add_meta_context(f"corral:root/{root}")

    flags: list[int] = []

    def extents(_name: str, _offset: int, entries: list[int], _error: object) -> int:
        flags.extend(entries)
        return 0

    with connected(nbd, uri, prepare) as handle:
        assert handle.can_meta_context(f"corral:root/{served.root}")
        assert not handle.can_meta_context(f"corral:root/{other}")
        handle.block_status(1, 0, extents, nbd.CMD_FLAG_REQ_ONE)
    assert flags[1] & 1 == 0, "not draining"


def test_options_can_be_asked_one_after_the_other_and_given_up(
    nbd: ModuleType, served: Served
) -> None:
    handle = nbd.NBD()
    handle.set_opt_mode(True)
    handle.connect_uri(served.uri("unix"))
    names: list[str] = []
    contexts: list[str] = []

    def name(text: str, _description: str) -> int:
        names.append(text)
        return 0

    def context(text: str) -> int:
        contexts.append(text)
        return 0

    assert handle.opt_list(name) == 1
    assert names == [EXPORT]
    handle.opt_list_meta_context(context)
    assert "base:allocation" in contexts
    handle.opt_info()
    assert handle.get_size() == SIZE_BYTES
    handle.set_export_name("debian/2")
    assert refusal(nbd, handle.opt_info) == "ENOENT"
    handle.set_export_name(EXPORT)
    handle.opt_abort()
    assert handle.aio_is_closed()


def test_one_handshake_can_change_its_mind_and_go(
    nbd: ModuleType, served: Served, content: bytes
) -> None:
    handle = nbd.NBD()
    handle.set_opt_mode(True)
    handle.connect_uri(served.uri("unix", "nothing"))
    assert refusal(nbd, handle.opt_go) == "ENOENT"
    handle.set_export_name(EXPORT)
    handle.opt_go()
    assert handle.pread(4096, 0) == content[:4096]
    handle.shutdown()


def test_many_clients_read_side_by_side(nbd: ModuleType, uri: str, content: bytes) -> None:
    wrong: list[int] = []

    def read(first: int) -> None:
        with connected(nbd, uri) as handle:
            for offset in range(first * 4096, SIZE_BYTES - MEBIBYTE, 5 * MEBIBYTE):
                got = handle.pread(MEBIBYTE, offset)
                wrong.extend([] if got == content[offset : offset + MEBIBYTE] else [offset])

    threads = [threading.Thread(target=read, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_client_that_vanishes_in_the_middle_of_a_read_harms_nobody(
    nbd: ModuleType, uri: str, content: bytes
) -> None:
    for _ in range(5):
        handle = nbd.NBD()
        handle.connect_uri(uri)
        for _ in range(4):
            handle.aio_pread(nbd.Buffer(16 * MEBIBYTE), 0)
        del handle
    with connected(nbd, uri) as handle:
        assert handle.pread(MEBIBYTE, 0) == content[:MEBIBYTE]
