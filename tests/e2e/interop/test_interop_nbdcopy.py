"""Whole images through libnbd's ``nbdcopy`` and nbdkit's NBD client."""

from pathlib import Path

import pytest

from tests.e2e.interop.disk import Disk
from tests.e2e.interop.tools import require, run, sha256


@pytest.mark.parametrize("connections", [1, 4])
def test_copy_is_byte_identical(uri: str, disk: Disk, tmp_path: Path, connections: int) -> None:
    copy = tmp_path / "copy.raw"
    run("nbdcopy", f"--connections={connections}", uri, copy)
    assert sha256(copy) == sha256(disk.path)


def test_copy_that_does_not_ask_for_holes_is_byte_identical(
    uri: str, disk: Disk, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.raw"
    run("nbdcopy", "--no-extents", "--connections=4", "--requests=64", uri, copy)
    assert sha256(copy) == sha256(disk.path)


def test_copy_by_one_request_after_the_other_is_byte_identical(
    uri: str, disk: Disk, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.raw"
    run("nbdcopy", "--synchronous", uri, copy)
    assert sha256(copy) == sha256(disk.path)


def test_copy_of_a_sparse_image_is_sparse(uri: str, disk: Disk, tmp_path: Path) -> None:
    copy = tmp_path / "copy.raw"
    run("nbdcopy", uri, copy)
    data = sum(extent.length for extent in disk.extents() if not extent.is_hole)
    assert copy.stat().st_blocks * 512 <= data + 64 * 1024


def test_nbdkit_can_stand_between(uri: str, disk: Disk, tmp_path: Path) -> None:
    copy = tmp_path / "copy.raw"
    require("nbdcopy")
    run("nbdkit", "--readonly", "-U", "-", "nbd", f"uri={uri}", "--run", f'nbdcopy "$uri" {copy}')
    assert sha256(copy) == sha256(disk.path)


def test_nbdkit_with_connections_shared_among_its_clients(
    uri: str, disk: Disk, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.raw"
    run(
        "nbdkit", "--readonly", "-U", "-", "nbd", f"uri={uri}", "shared=true",
        "--run", f'nbdcopy --connections=4 "$uri" {copy}',
    )  # fmt: skip
    assert sha256(copy) == sha256(disk.path)
