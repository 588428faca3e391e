"""A small real golden image from Debian packages, and the same image updated in place.

Version 1 is a Debian system with systemd and its kernel in a bare ext4 file system, made in user
space. Version 2 is a copy of version 1 that was mounted and given one more package, as an
administrator would do it, so that what
differs between the two is what a real update changes. Both are kept in the cache under the hash of
the recipe.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Final

from demo import apt, kernel
from demo.processes import find_program, require_root, require_space

if TYPE_CHECKING:
    from collections.abc import Iterator

    from demo.kernel import Kernel
    from demo.processes import Runner

VERSION_FILE: Final = "etc/corral-image"
"""Holds the number of the version in the image; the guest reads it from its mounted root."""

_WORK_BYTES: Final = 1_500_000_000
_LEFT_OUT: Final = ("doc", "man", "locale", "info", "lintian", "bug")


@dataclass(frozen=True)
class Recipe:
    """All that decides what is in the images; another recipe is another entry of the cache."""

    release: str = "bookworm"
    packages: tuple[str, ...] = ("systemd-sysv", "udev", "kmod", "iproute2")
    added_package: str = "nano"
    size_bytes: int = 384 * 2**20
    edition: int = 1
    """To be counted up when the code below changes what it makes."""

    def key(self) -> str:
        """Name this recipe's folder in the cache."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class GoldenImage:
    """The two versions, as raw disk files."""

    version_1: Path
    version_2: Path
    added_package: str
    from_cache: bool


def build(recipe: Recipe, cache: Path, guest_kernel: Kernel, runner: Runner) -> GoldenImage:
    """Give the images of ``recipe``, from the cache if they are there."""
    folder = cache / f"golden-{recipe.key()}"
    cache.mkdir(parents=True, exist_ok=True)
    with _locked(cache / f"golden-{recipe.key()}.lock"):
        from_cache = folder.is_dir()
        if not from_cache:
            require_root(
                "building a golden image (it mounts a copy and runs package scripts in a chroot)"
            )
            require_space(cache, _WORK_BYTES)
            with tempfile.TemporaryDirectory(prefix="incoming-", dir=cache) as name:
                work = Path(name)
                result = work / "result"
                result.mkdir()
                packages = _install_packages(recipe, work, runner)
                _make_version_1(recipe, work / "root", result / "1.raw", guest_kernel, runner)
                _make_version_2(recipe, result / "1.raw", result / "2.raw", packages, runner)
                # The rename is what makes the images exist: a build that was killed leaves nothing
                # that looks finished.
                result.rename(folder)
    return GoldenImage(folder / "1.raw", folder / "2.raw", recipe.added_package, from_cache)


def _install_packages(recipe: Recipe, work: Path, runner: Runner) -> Path:
    """Install the recipe's packages into ``work/root``; give the folder of version 2's packages."""
    later = work / "later"
    later.mkdir()
    keep = (
        'rm -f "$1"/var/cache/apt/archives/*.deb && APT_CONFIG="$MMDEBSTRAP_APT_CONFIG" '
        "apt-get install --yes --no-install-recommends --download-only "
        f"{quote(recipe.added_package)} && "
        f'cp "$1"/var/cache/apt/archives/*.deb {quote(str(later))}/'
    )
    command = [
        # In a mount namespace of its own: whatever ends it, none of its mounts stays behind.
        "unshare",
        "--mount",
        find_program("mmdebstrap", "mmdebstrap"),
        "--mode=root",
        "--variant=minbase",
        "--format=directory",
        f"--include={','.join(recipe.packages)}",
        "--dpkgopt=force-unsafe-io",
        '--aptopt=Acquire::Languages "none"',
        *(f"--dpkgopt=path-exclude=/usr/share/{folder}/*" for folder in _LEFT_OUT),
        f"--customize-hook={keep}",
        recipe.release,
        str(work / "root"),
        *(source.line() for source in apt.machine_sources(recipe.release)),
    ]
    # The temporary folder is private to this build, so that no noexec or small /tmp of the machine
    # is in the way.
    (work / "tmp").mkdir()
    runner.run(
        "golden-image",
        command,
        what="installing Debian packages",
        watch=work / "root",
        environment={"TMPDIR": str(work / "tmp")},
    )
    return later


def _make_version_1(
    recipe: Recipe, root: Path, disk: Path, guest_kernel: Kernel, runner: Runner
) -> None:
    shutil.copytree(guest_kernel.folder / "boot", root / "boot", dirs_exist_ok=True)
    shutil.copytree(
        guest_kernel.folder / "lib" / "modules",
        root / "usr" / "lib" / "modules",
        dirs_exist_ok=True,
        symlinks=True,
    )
    # No host's identity in a golden image: each machine that starts from it gets its own.
    (root / "etc" / "machine-id").write_text("", encoding="utf-8")
    (root / "etc" / "hostname").write_text("corral-guest\n", encoding="utf-8")
    (root / "etc" / "resolv.conf").unlink(missing_ok=True)
    (root / VERSION_FILE).write_text("1\n", encoding="utf-8")
    with disk.open("wb") as file:
        file.truncate(recipe.size_bytes)
    runner.run(
        "golden-image",
        [
            "mke2fs",
            "-q",
            "-t",
            "ext4",
            "-b",
            "4096",
            "-L",
            "corral",
            "-E",
            "root_owner=0:0",
            "-d",
            str(root),
            str(disk),
        ],
        what="writing the ext4 file system",
        watch=disk.parent,
    )


def _make_version_2(
    recipe: Recipe, first: Path, second: Path, packages: Path, runner: Runner
) -> None:
    runner.run(
        "golden-image",
        ["cp", "--sparse=always", "--reflink=auto", str(first), str(second)],
        what="copying version 1",
    )
    mounted = second.with_suffix(".mounted")
    mounted.mkdir()
    # In a mount namespace, too, which also lets go of the loop device.
    script = f"""
        disk={quote(str(second))} root={quote(str(mounted))} packages={quote(str(packages))}
        mount -o loop,discard "$disk" "$root"
        mount -t proc proc "$root/proc"
        mkdir "$root/root/packages"
        cp "$packages"/*.deb "$root/root/packages/"
        DEBIAN_FRONTEND=noninteractive chroot "$root" sh -c 'dpkg --install /root/packages/*.deb'
        rm -r "$root/root/packages"
        echo 2 >"$root/{VERSION_FILE}"
        umount "$root/proc" "$root"
    """
    runner.run(
        "golden-image",
        ["unshare", "--mount", "sh", "-euc", script],
        what=f"updating a copy in place: adding {recipe.added_package}",
    )
    mounted.rmdir()


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    """Hold ``file`` locked: two demonstrations that start at once build the image once."""
    with file.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def fetch_kernel(recipe: Recipe, cache: Path, runner: Runner) -> Kernel:
    """Give the kernel that the images hold and the guest is started with."""
    return kernel.fetch(cache, recipe.release, runner)
