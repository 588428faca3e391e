"""Archives that the kernel unpacks, and the order in which modules are loaded."""

import subprocess
from pathlib import Path, PurePosixPath

import pytest
from demo.cpio import Archive
from demo.initramfs import load_order, module_name, parse_dependencies, personality

DEPENDENCIES = parse_dependencies("""\
kernel/drivers/net/virtio_net.ko: kernel/net/core/failover.ko kernel/drivers/virtio/virtio.ko
kernel/net/core/failover.ko:
kernel/drivers/virtio/virtio.ko: kernel/drivers/virtio/virtio_ring.ko
kernel/drivers/virtio/virtio_ring.ko:
kernel/net/packet/af-packet.ko:
""")


def test_loads_a_module_after_those_that_it_needs() -> None:
    order = [module_name(path) for path in load_order(["virtio_net"], DEPENDENCIES)]
    assert order == ["failover", "virtio_ring", "virtio", "virtio_net"]


def test_loads_nothing_twice_and_nothing_that_is_built_in() -> None:
    order = load_order(["virtio", "virtio_net", "virtio", "ext4"], DEPENDENCIES)
    assert len(order) == len(set(order)) == 4


def test_a_module_is_found_with_either_of_its_spellings() -> None:
    assert load_order(["af_packet"], DEPENDENCIES) == ["kernel/net/packet/af-packet.ko"]


def test_other_programs_unpack_the_archive_with_folders_modes_and_links(tmp_path: Path) -> None:
    archive = Archive()
    archive.add_file(PurePosixPath("bin/busybox"), b"odd", 0o755)
    archive.add_link(PurePosixPath("bin/sh"), "busybox")
    archive.add_file(PurePosixPath("etc/a/b"), b"", 0o600)
    try:
        # As the kernel does: one archive behind the other, each ended by its own trailer.
        for part in (archive.to_bytes(), personality({"device.key": b"secret"})):
            subprocess.run(["cpio", "-i", "--quiet"], input=part, cwd=tmp_path, check=True)
    except FileNotFoundError:
        pytest.fail("cpio is not installed: apt-get install cpio")
    assert (tmp_path / "bin/sh").read_bytes() == b"odd"
    assert (tmp_path / "bin/busybox").stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "etc/a/b").stat().st_mode & 0o777 == 0o600
    key = tmp_path / "etc/corral/device.key"
    assert key.read_bytes() == b"secret"
    assert key.stat().st_mode & 0o777 == 0o600


def test_archives_can_be_appended_to_one_another() -> None:
    archive = Archive()
    archive.add_file(PurePosixPath("x"), b"123")
    assert len(archive.to_bytes()) % 4 == 0


def test_the_same_files_give_the_same_bytes() -> None:
    assert personality({"a": b"1", "b": b"2"}) == personality({"a": b"1", "b": b"2"})
