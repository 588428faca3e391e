"""The initramfs of a streamed device: busybox, the Corral client, and kernel modules.

Built without root and without looking at the machine that builds it: the modules come from the
kernel package's tree. It is not compressed: the guest's processor is emulated, and unpacking costs
it more than loading a few
more megabytes costs the host.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

from demo.cpio import Archive
from demo.errors import DemoError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from demo.kernel import Kernel

_FILES: Final = Path(__file__).parent / "guest"

_LOADED: Final = ("virtio_pci", "virtio_net", "af_packet", "nbd", "overlay")
"""Modules that every boot loads."""

_AT_HAND: Final = ("ext4", "xfs", "squashfs", "erofs")
"""File systems that an image may hold; those built into the kernel are not carried."""

_APPLETS: Final = (
    "cat chmod chroot cp dmesg grep insmod ip ln mkdir modprobe mount poweroff sed sh sleep "
    "switch_root tail udhcpc umount uname"
)


def build(kernel: Kernel, busybox: Path, client: Path) -> bytes:
    """Make the archive, for a loader as it is; append a ``personality`` to it for one device."""
    archive = Archive()
    for folder in ("proc", "sys", "dev", "run", "newroot", "tmp"):
        archive.add_folder(PurePosixPath(folder))
    archive.add_file(PurePosixPath("bin/busybox"), busybox.read_bytes(), 0o755)
    for applet in _APPLETS.split():
        archive.add_link(PurePosixPath("bin") / applet, "busybox")
    # The kernel itself calls modprobe by this path.
    archive.add_link(PurePosixPath("sbin/modprobe"), "../bin/busybox")
    archive.add_file(PurePosixPath("bin/corral-target"), client.read_bytes(), 0o755)
    archive.add_file(PurePosixPath("init"), _text("init"), 0o755)
    archive.add_file(PurePosixPath("etc/udhcpc.script"), _text("udhcpc.script"), 0o755)
    archive.add_file(PurePosixPath("etc/corral/guest-probe"), _text("guest-probe"), 0o755)
    archive.add_file(
        PurePosixPath("etc/corral/corral-guest.service"), _text("corral-guest.service")
    )
    _add_modules(archive, kernel)
    return archive.to_bytes()


def personality(files: dict[str, bytes]) -> bytes:
    """Make an archive to append of what only one device may have: how it logs in, and its key."""
    archive = Archive()
    archive.add_folder(PurePosixPath("etc/corral"), 0o700)
    for name, content in files.items():
        archive.add_file(PurePosixPath("etc/corral") / name, content, 0o600)
    return archive.to_bytes()


def load_order(wanted: Iterable[str], dependencies: dict[str, tuple[str, ...]]) -> list[str]:
    """Give the module files to load for ``wanted``, each after those that it needs.

    ``dependencies`` is a ``modules.dep`` read by ``parse_dependencies``. A name that is in no file
    is built into the kernel.
    """
    by_name = {module_name(path): path for path in dependencies}
    order: dict[str, None] = {}

    def visit(path: str) -> None:
        for needed in dependencies[path]:
            if needed not in order:
                visit(needed)
        order[path] = None

    for name in wanted:
        if name in by_name:
            visit(by_name[name])
    return list(order)


def parse_dependencies(text: str) -> dict[str, tuple[str, ...]]:
    """Read ``modules.dep``: each module's file, and the files of what it needs."""
    lines = (line.partition(":") for line in text.splitlines() if line.strip())
    return {path.strip(): tuple(needed.split()) for path, _, needed in lines}


def module_name(path: str) -> str:
    """Give the name of the module in a file; the kernel takes ``-`` and ``_`` for the same."""
    return PurePosixPath(path).name.partition(".ko")[0].replace("-", "_")


def _add_modules(archive: Archive, kernel: Kernel) -> None:
    tree = kernel.modules
    dependencies = parse_dependencies((tree / "modules.dep").read_text(encoding="utf-8"))
    built_in = {
        module_name(line) for line in (tree / "modules.builtin").read_text(encoding="utf-8").split()
    }
    present = {module_name(path) for path in dependencies} | built_in
    missing = [name for name in _LOADED if name not in present]
    if missing:
        message = f"kernel {kernel.release} has no {', '.join(missing)}: take one that does"
        raise DemoError(message)
    folder = PurePosixPath("lib/modules") / kernel.release
    loaded = load_order(_LOADED, dependencies)
    carried = load_order((*_LOADED, *_AT_HAND), dependencies)
    for path in carried:
        archive.add_file(folder / path, (tree / path).read_bytes())
    rows = "".join(f"{path}: {' '.join(dependencies[path])}\n" for path in carried)
    archive.add_file(folder / "modules.dep", rows.encode())
    at_hand = "".join(f"{name}\n" for name in _AT_HAND if name in present - built_in)
    archive.add_file(PurePosixPath("etc/modules-at-hand"), at_hand.encode())
    archive.add_file(
        PurePosixPath("etc/modules-to-load"),
        "".join(f"/{folder / path}\n" for path in loaded).encode(),
    )


def _text(name: str) -> bytes:
    return (_FILES / name).read_bytes()
