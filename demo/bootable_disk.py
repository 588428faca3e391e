"""A small Linux on a disk of its own, which firmware starts: a partition, syslinux, a kernel.

Debian's kernel, a first file system with busybox, and Debian's guest agent. Built without root and
without mounting anything. Versions differ in their kernel's command line, and in what is added to
each, so that two of them share almost all chunks, as versions of a real image do.
"""

from __future__ import annotations

import os
import re
import shutil
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

from demo import apt, kernel
from demo.cpio import Archive
from demo.errors import ProgramFailedError
from demo.initramfs import load_order, parse_dependencies
from demo.processes import Runner, find_program

if TYPE_CHECKING:
    from demo.kernel import Kernel

RELEASE: Final = "bookworm"
CACHE: Final = Path(os.environ.get("CORRAL_CACHE", Path.home() / ".cache" / "corral"))
_MODULES: Final = ("virtio_pci", "virtio_blk", "virtio_console", "virtio_rng", "ext4")
_APPLETS: Final = "cat dd echo insmod mkdir mount poweroff sh sleep sync tr"
_LIBRARY: Final = re.compile(r"(/\S+) \(0x")
_MIB: Final = 1 << 20
_BOOT_BYTES: Final = 40 * _MIB
_INIT: Final = Path(__file__).with_name("guest") / "engine-init"
_MBR: Final = Path("/usr/lib/syslinux/mbr/mbr.bin")


class Nobody:
    """Whom nothing has to be shown."""

    def doing(self, what: str) -> None:
        """Take no notice."""


@dataclass(frozen=True)
class GuestDisk:
    """A disk image in a file."""

    path: Path

    @classmethod
    def build(  # noqa: PLR0913 - a disk has that many parts
        cls,
        folder: Path,
        number: int,
        *,
        broken: bool = False,
        ballast: bytes = b"",
        added: bytes = b"",
        runner: Runner | None = None,
    ) -> GuestDisk:
        """Make version ``number`` in ``folder``.

        ``broken`` has no guest agent, ``ballast`` is never read, ``added`` is a file that only this
        version has.
        """
        kernel_image, initrd = _parts(folder, runner or Runner(folder, Nobody()))
        path = folder / f"guest-{number}.raw"
        with path.open("wb") as disk:
            disk.write(_MBR.read_bytes().ljust(446, b"\0"))
            disk.write(_partition(_MIB // 512, _BOOT_BYTES // 512))
            disk.write(bytes(48) + b"\x55\xaa")
            disk.truncate(_MIB + _BOOT_BYTES + len(ballast) + _MIB)
            disk.seek(_MIB + _BOOT_BYTES)
            disk.write(ballast)
        words = f"console=ttyS0 quiet panic=5 corral.version={number}"
        if broken:
            words += " corral.broken"
        (folder / "syslinux.cfg").write_text(
            f"DEFAULT linux\nLABEL linux\nKERNEL vmlinuz\nINITRD initrd\nAPPEND {words}\n"
        )
        (folder / "added").write_bytes(added)
        inside = f"{path}@@{_MIB}"
        sectors = str(_BOOT_BYTES // 512)
        shape = ("-T", sectors, "-h", "64", "-s", "32", "-H", "2048", "-N", "12345678")
        _run(["mformat", "-i", inside, *shape, "::"])
        for source, name in (
            (kernel_image, "vmlinuz"),
            (initrd, "initrd"),
            (folder / "syslinux.cfg", "syslinux.cfg"),
            (folder / "added", "added"),
        ):
            _run(["mcopy", "-i", inside, str(source), f"::{name}"])
        _run(["syslinux", "--offset", str(_MIB), "--install", str(path)])
        return cls(path)


def missing() -> list[str]:
    """Name what a guest cannot be built and started without."""
    programs = ("qemu-system-x86_64", "qemu-img", "busybox", "mcopy", "syslinux")
    path = "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin"
    found = [name for name in programs if shutil.which(name, path=path) is None]
    return found if _MBR.is_file() else [*found, str(_MBR)]


def _partition(first: int, sectors: int) -> bytes:
    """Give the entry of an active FAT partition, by sectors alone."""
    return struct.pack("<B3sB3sII", 0x80, b"\xfe\xff\xff", 0x0C, b"\xfe\xff\xff", first, sectors)


def _parts(folder: Path, runner: Runner) -> tuple[Path, Path]:
    """Give the kernel and its first file system, made once for all versions."""
    found = kernel.fetch(CACHE, RELEASE, runner)
    initrd = folder / "initrd"
    if not initrd.exists():
        initrd.write_bytes(_initramfs(found, _agent(runner)))
    return found.image, initrd


def _agent(runner: Runner) -> Path:
    """Give Debian's guest agent, out of its package; it is not installed on this machine."""
    folder = CACHE / f"guest-agent-{RELEASE}"
    if not folder.is_dir():
        work = CACHE / f"incoming-guest-agent-{os.getpid()}"
        lists = apt.PackageLists.fetch(work / "apt", apt.machine_sources(RELEASE), runner)
        package = lists.download("qemu-guest-agent")
        _run(["dpkg-deb", "-x", str(package), str(work / "tree")])
        try:
            (work / "tree").rename(folder)
        except OSError:  # somebody else was faster
            if not folder.is_dir():
                raise
        shutil.rmtree(work)
    return folder / "usr" / "sbin" / "qemu-ga"


def _initramfs(found: Kernel, agent: Path) -> bytes:
    archive = Archive()
    for name in ("proc", "sys", "dev", "run", "etc/corral"):
        archive.add_folder(PurePosixPath(name))
    archive.add_file(
        PurePosixPath("bin/busybox"),
        Path(find_program("busybox", "busybox-static")).read_bytes(),
        0o755,
    )
    for applet in _APPLETS.split():
        archive.add_link(PurePosixPath("bin") / applet, "busybox")
    archive.add_file(
        PurePosixPath("sbin/shutdown"), b"#!/bin/sh\nsync\nexec /bin/poweroff -f\n", 0o755
    )
    archive.add_file(PurePosixPath("sbin/qemu-ga"), agent.read_bytes(), 0o755)
    linked = subprocess.run(["ldd", agent], check=True, capture_output=True, text=True)
    for library in _LIBRARY.findall(linked.stdout):
        archive.add_file(PurePosixPath(library.lstrip("/")), Path(library).read_bytes(), 0o755)
    archive.add_file(PurePosixPath("init"), _INIT.read_bytes(), 0o755)
    dependencies = parse_dependencies((found.modules / "modules.dep").read_text("utf-8"))
    order = load_order(_MODULES, dependencies)
    for path in order:
        archive.add_file(PurePosixPath("modules") / path, (found.modules / path).read_bytes())
    listed = "".join(f"/modules/{path}\n" for path in order)
    archive.add_file(PurePosixPath("etc/modules"), listed.encode())
    return archive.to_bytes()


def _run(words: list[str]) -> None:
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    done = subprocess.run(
        words,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PATH": path, "MTOOLS_SKIP_CHECK": "1"},
    )
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip()
        raise ProgramFailedError(words[0], done.returncode, said, "none")
