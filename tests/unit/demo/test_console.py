"""What the guest says on its console becomes facts."""

import pytest
from demo.console import Console, Up, VerifyPass, Wrote, parse_pass
from demo.errors import TooLateError

UP = (
    b"CORRAL-GUEST up version=2 packages=127 in=image init=/usr/lib/systemd/systemd "
    b"kernel=6.1.0-56-cloud-amd64 root=ab12 uptime=7.72\r\n"
)
PASS = (
    b"verify pass=3 root=ok found=ab12 bytes=402653184 seconds=4.012 errors=0 "
    b"stall_ms=140 longest_stall_ms=250\n"
)


def test_learns_which_version_runs_in_what() -> None:
    console = Console()
    console.feed(UP)
    assert console.up == Up(
        "2", 127, "/usr/lib/systemd/systemd", "6.1.0-56-cloud-amd64", 7.72, "ab12", in_image=True
    )


def test_learns_where_the_writes_went() -> None:
    console = Console()
    console.feed(b"CORRAL-GUEST wrote bytes=1048576 below=no disk_read_only=1\n")
    assert console.wrote == Wrote(1_048_576, reached_the_image=False, disk_read_only=True)


def test_a_pass_has_its_own_stall_and_not_that_of_the_passes_before() -> None:
    console = Console()
    console.feed(PASS)
    assert console.passes == [
        VerifyPass(3, is_right=True, errors=0, longest_stall_ms=140.0, bytes_read=402_653_184)
    ]


@pytest.mark.parametrize("verdict", ["wrong", "unreadable", "unchecked"])
def test_only_ok_is_right(verdict: str) -> None:
    found = parse_pass(PASS.decode().replace("root=ok", f"root={verdict}"))
    assert found is not None
    assert not found.is_right


def test_lines_may_come_in_pieces_and_behind_control_characters() -> None:
    console = Console()
    for byte in b"\x1bc\x1b[2J" + UP:
        console.feed(bytes([byte]))
    assert console.up is not None
    assert console.up.version == "2"


def test_a_line_that_is_cut_is_no_pass() -> None:
    assert parse_pass("verify pass=3 root=ok fou") is None
    assert parse_pass("verify stall_ms=300 offset=0") is None


@pytest.mark.parametrize(
    "line",
    [
        b"[   12.3] blk_update_request: I/O error, dev nbd0, sector 8\n",
        b"[   12.3] EXT4-fs error (device nbd0): __ext4_find_entry\n",
        b"verify error offset=0 length=4096 reason=Os\n",
    ],
)
def test_every_error_that_the_guest_sees_is_kept(line: bytes) -> None:
    console = Console()
    console.feed(line)
    assert len(console.troubles) == 1


def test_does_not_wait_for_a_guest_that_failed() -> None:
    console = Console()
    console.feed(b"CORRAL-BOOT 2.1 fail no answer to DHCP on eth0\n")
    with pytest.raises(TooLateError, match=r"failed before it was up.*no answer to DHCP"):
        console.wait_for(lambda seen: seen.up is not None, 60, "it was up")


def test_does_not_wait_for_a_guest_that_ended() -> None:
    console = Console()
    console.end()
    with pytest.raises(TooLateError, match="ended before it was up"):
        console.wait_for(lambda seen: seen.up is not None, 60, "it was up")


def test_what_happened_just_before_the_end_has_happened() -> None:
    console = Console()
    console.feed(UP)
    console.end()
    console.wait_for(lambda seen: seen.up is not None, 60, "it was up")
