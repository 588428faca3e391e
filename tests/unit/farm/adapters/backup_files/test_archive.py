"""What is packed comes out again, whatever its size."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corral.farm.adapters.backup_files.archive import Packed, unpacked
from corral.farm.application.ports.backups import Member

BLOCK = 512
SIZES = [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK]


def packed(members: list[Member]) -> bytes:
    stream = io.BufferedReader(Packed(members, mtime=0, look=lambda _: None))
    return stream.read()


@pytest.mark.parametrize("size", SIZES)
def test_a_member_of_any_size_is_followed_by_the_next(size: int) -> None:
    members = [Member("first.json", b"x" * size), Member("second.json", b"end")]
    assert list(unpacked(io.BytesIO(packed(members)))) == members


@given(st.lists(st.sampled_from(SIZES) | st.integers(0, 4 * BLOCK), max_size=8))
def test_all_members_come_out(sizes: list[int]) -> None:
    members = [
        Member(f"{chr(ord('a') + at)}.json", bytes([at]) * size) for at, size in enumerate(sizes)
    ]
    assert list(unpacked(io.BytesIO(packed(members)))) == members
