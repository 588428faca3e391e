"""Build the engine's Debian package out of this checkout; prints its path.

What it holds is what a kit holds, laid out: the release that runs until a kit takes its place, with
the launcher, which kits never replace.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

import engine_wheels

ROOT: Final = engine_wheels.ROOT
PARTS: Final = Path(__file__).resolve().parent / "debian"
_EPOCH: Final = 1_796_000_000
"""When everything in it was changed, so that the same checkout gives the same package."""
_ARCHITECTURES: Final = {"x86_64": "amd64"}
_PROGRAM: Final = 0o755
_PLAIN: Final = 0o644


def build(
    release: str, folder: Path, publishers: Path | None = None, guest_tools: Path | None = None
) -> Path:
    """Build it; ``publishers`` is the list that computers begin with."""
    architecture = _ARCHITECTURES[platform.machine()]
    target = folder / f"corral-engine_{release}_{architecture}.deb"
    with tempfile.TemporaryDirectory(prefix="corral-deb-") as work:
        tree = Path(work) / "tree"
        _lay_out(tree, release, Path(work) / "wheels")
        _copy(PARTS / "corral-engine", tree / "usr/bin/corral-engine", _PROGRAM)
        _copy(PARTS / "launcher", tree / "usr/lib/corral-engine/launcher", _PROGRAM)
        unit = tree / "usr/lib/systemd/system/corral-engine.service"
        _copy(PARTS / "corral-engine.service", unit)
        _copy(publishers or PARTS / "publishers", tree / "etc/corral-engine/publishers")
        if guest_tools is not None:
            _copy(guest_tools, tree / "usr/lib/corral-engine/files" / guest_tools.name)
        _copy(PARTS / "default", tree / "etc/default/corral-engine")
        _copy(PARTS / "copyright", tree / "usr/share/doc/corral-engine/copyright")
        _write_changelog(tree / "usr/share/doc/corral-engine", release)
        _write_control(tree, release, architecture)
        _date_everything(tree)
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            ["dpkg-deb", "--root-owner-group", "-Zgzip", "--build", str(tree), str(target)],
            check=True,
            stdout=subprocess.DEVNULL,
            env={**os.environ, "SOURCE_DATE_EPOCH": str(_EPOCH)},
        )
    return target


def _lay_out(tree: Path, release: str, wheels: Path) -> None:
    """Put the release where Python finds it, as a kit is put into a slot."""
    sys.path.insert(0, str(engine_wheels.SOURCES))
    from corral.kit.wheels import lay_out  # noqa: PLC0415 - of this checkout

    wheels.mkdir()
    site = tree / "usr/lib/corral-engine/site"
    site.mkdir(parents=True)
    lay_out(engine_wheels.write_all(wheels, release), site)


def _write_changelog(folder: Path, release: str) -> None:
    text = (
        f"corral-engine ({release}) unstable; urgency=medium\n\n"
        "  * CHANGELOG.md of the project says what is new.\n\n"
        " -- Corral <corral@localhost>  Mon, 30 Nov 2026 00:00:00 +0000\n"
    )
    with (folder / "changelog.gz").open("wb") as file:
        file.write(gzip.compress(text.encode(), mtime=0))


def _write_control(tree: Path, release: str, architecture: str) -> None:
    control = tree / "DEBIAN"
    control.mkdir()
    files = sorted(one for one in tree.rglob("*") if one.is_file() and control not in one.parents)
    size = sum(one.stat().st_size for one in files)
    this, after = sys.version_info[:2], (sys.version_info[0], sys.version_info[1] + 1)
    text = (PARTS / "control").read_text("utf-8")
    facts = {
        "@RELEASE@": release,
        "@ARCHITECTURE@": architecture,
        "@SIZE@": str(-(-size // 1024)),
        # Compiled parts of what the engine needs are for one release of Python.
        "@PYTHON@": f"python3 (>= {this[0]}.{this[1]}), python3 (<< {after[0]}.{after[1]})",
    }
    for name, fact in facts.items():
        text = text.replace(name, fact)
    (control / "control").write_text(text, "utf-8")
    sums = (
        f"{hashlib.md5(one.read_bytes()).hexdigest()}  {one.relative_to(tree)}\n"  # noqa: S324 - dpkg's
        for one in files
        if not one.is_relative_to(tree / "etc")
    )
    (control / "md5sums").write_text("".join(sums), "ascii")
    configured = (
        f"/{one.relative_to(tree)}\n" for one in files if one.is_relative_to(tree / "etc")
    )
    (control / "conffiles").write_text("".join(configured), "ascii")
    for script in ("postinst", "prerm", "postrm"):
        _copy(PARTS / script, control / script, _PROGRAM)


def _copy(source: Path, target: Path, mode: int = _PLAIN) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    target.chmod(mode)


def _date_everything(tree: Path) -> None:
    for one in (tree, *tree.rglob("*")):
        if one.is_dir():
            one.chmod(_PROGRAM)
        elif not one.stat().st_mode & 0o100:
            one.chmod(_PLAIN)
        os.utime(one, (_EPOCH, _EPOCH))


def main() -> None:
    """Build it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--release", default=engine_wheels.checkout_release(), help="(%(default)s)")
    parser.add_argument("--folder", type=Path, default=ROOT / "build", help="where it goes")
    parser.add_argument(
        "--publishers", type=Path, help="the public keys whose kits its computers install at first"
    )
    parser.add_argument(
        "--guest-tools", type=Path, help="a medium of guest tools, guest-tools-RELEASE.img"
    )
    asked = parser.parse_args()
    print(build(asked.release, asked.folder.absolute(), asked.publishers, asked.guest_tools))


if __name__ == "__main__":
    main()
