"""The guest as a machine: its kernel, its first file system, its console."""

import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Final

from demo.cpio import Archive
from demo.initramfs import load_order, parse_dependencies
from demo.kernel import Kernel
from demo.processes import Program, Programs, find_program, wait_until

SECONDS: Final = 300.0
"""How long anything may take on a busy machine; a quiet one takes a tenth of it."""
_MODULES: Final = ("virtio_pci", "virtio_net", "nbd", "crc32c_generic", "ext4")
_APPLETS: Final = (
    "cat cut dd dmesg echo head insmod ip kill md5sum mount pidof poweroff sh sort tail tr umount"
)
_LIBRARY: Final = re.compile(r"(/\S+) \(0x")


def initramfs(kernel: Kernel, client: Path, answers: dict[str, str]) -> bytes:
    """Make the guest's first file system, with what its client is told."""
    archive = Archive()
    for folder in ("proc", "sys", "dev", "mnt"):
        archive.add_folder(PurePosixPath(folder))
    _add_program(archive, "bin/busybox", Path(find_program("busybox", "busybox-static")))
    for applet in _APPLETS.split():
        archive.add_link(PurePosixPath("bin") / applet, "busybox")
    _add_program(archive, "bin/corral-target", client)
    _add_program(archive, "bin/mke2fs", Path(find_program("mke2fs", "e2fsprogs")))
    init = Path(__file__).with_name("init").read_bytes()
    archive.add_file(PurePosixPath("init"), init, 0o755)
    dependencies = parse_dependencies((kernel.modules / "modules.dep").read_text("utf-8"))
    order = load_order(_MODULES, dependencies)
    for path in order:
        archive.add_file(PurePosixPath("modules") / path, (kernel.modules / path).read_bytes())
    listed = "".join(f"/modules/{path}\n" for path in order)
    archive.add_file(PurePosixPath("etc/modules"), listed.encode())
    for name, answer in answers.items():
        archive.add_file(PurePosixPath("etc") / name, answer.encode(), 0o600)
    return archive.to_bytes()


def _add_program(archive: Archive, path: str, program: Path) -> None:
    """Add a program, and the libraries that it is linked with, if it is."""
    archive.add_file(PurePosixPath(path), program.read_bytes(), 0o755)
    linked = subprocess.run(["ldd", program], check=False, capture_output=True, text=True)
    for library in _LIBRARY.findall(linked.stdout):
        archive.add_file(PurePosixPath(library.lstrip("/")), Path(library).read_bytes(), 0o755)


@dataclass
class Guest:
    """A machine that runs."""

    programs: Programs
    program: Program
    _seen: int = field(default=0)

    @classmethod
    def start(cls, programs: Programs, kernel: Kernel, initrd: Path, name: str) -> "Guest":
        """Power it on; ``name`` is what it is to do."""
        command = [
            *("qemu-system-x86_64", "-accel", "tcg,tb-size=128", "-cpu", "qemu64"),
            *("-machine", "q35,graphics=off", "-m", "512", "-no-reboot"),
            *("-nodefaults", "-display", "none", "-vga", "none"),
            # Two lines, so that what the kernel says does not tear what the guest says.
            *("-serial", "stdio", "-serial", f"file:{programs.logs / f'console-{name}.log'}"),
            *("-netdev", "user,id=net", "-device", "virtio-net-pci,netdev=net,romfile="),
            *("-kernel", str(kernel.image), "-initrd", str(initrd)),
            *("-append", f"console=ttyS1 loglevel=7 panic=-1 net.ifnames=0 guest={name}"),
        ]
        return cls(programs, programs.start(f"guest-{name}", command))

    def said(self) -> list[str]:
        """Give what it has said so far."""
        lines = self.program.log.read_text(errors="replace").split("\n")[:-1]
        return [line.partition("GUEST ")[2].strip() for line in lines if "GUEST " in line]

    def wait_for(self, words: str) -> None:
        """Wait until it has said a line that begins so; it must not have failed meanwhile."""

        def is_so() -> bool:
            said = self.said()
            failures = [line for line in said if line.startswith("failed")]
            assert not failures, self.program.log.read_text(errors="replace")[-4000:]
            if any(line.startswith(words) for line in said):
                return True
            self.programs.expect_running(self.program)
            return False

        wait_until(is_so, SECONDS, f"the guest did not say {words!r}: {self.said()[-3:]}")

    def sums(self, verb: str) -> dict[str, str]:
        """Give the sums of the files that it kept, or found."""
        words = (line.split() for line in self.said())
        return {one[1]: one[2] for one in words if len(one) == 3 and one[0] == verb}


def what_is_missing(client: Path) -> list[str]:
    """Name what a guest cannot be started without."""
    programs = ("qemu-system-x86_64", "busybox", "mke2fs", "ldd")
    path = "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin"
    missing = [name for name in programs if shutil.which(name, path=path) is None]
    return missing if client.is_file() else [*missing, f"{client} (make target)"]
