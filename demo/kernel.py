"""A Debian kernel for the guest, out of its package; the machine's own kernel is not used."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from demo import apt

if TYPE_CHECKING:
    from demo.processes import Runner

PACKAGE: Final = "linux-image-cloud-amd64"
"""Debian's kernel for virtual machines; it has no drivers of real network cards."""


@dataclass(frozen=True)
class Kernel:
    """An unpacked kernel package."""

    folder: Path
    release: str

    @property
    def image(self) -> Path:
        """The file that a loader starts."""
        return self.folder / "boot" / f"vmlinuz-{self.release}"

    @property
    def modules(self) -> Path:
        """The folder of its modules, with ``modules.dep``."""
        return self.folder / "lib" / "modules" / self.release


def fetch(cache: Path, release: str, runner: Runner) -> Kernel:
    """Give the cached kernel of a Debian release, or download it from the machine's mirror."""
    folder = cache / f"kernel-{release}"
    if not folder.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="incoming-", dir=cache) as work:
            lists = apt.PackageLists.fetch(Path(work) / "apt", apt.machine_sources(release), runner)
            package = lists.download(lists.dependency(PACKAGE, "linux-image-"))
            tree = Path(work) / "kernel"
            runner.run(
                "kernel", ["dpkg-deb", "-x", str(package), str(tree)], what="unpacking the kernel"
            )
            shutil.rmtree(tree / "usr", ignore_errors=True)
            found = _opened(tree)
            runner.run(
                "kernel",
                ["depmod", "-b", str(tree), found.release],
                what="indexing the kernel's modules",
            )
            tree.rename(folder)
    return _opened(folder)


def _opened(folder: Path) -> Kernel:
    (modules,) = (folder / "lib" / "modules").iterdir()
    return Kernel(folder, modules.name)
