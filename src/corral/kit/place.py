"""A release that lies on a disk. Needs nothing but Python: what starts releases reads it, too.

PLACE/site/      what Python imports
PLACE/files/     what else the kit had
PLACE/kit.json   says which kit was laid out; written last
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

_FORMAT: Final = 1
_PRIVATE_FOLDER: Final = 0o700
_libc: Final = ctypes.CDLL(None, use_errno=True)


def begin(coming: Path, going: Path) -> None:
    """Make an empty folder to unpack into, and remove what is left of earlier attempts."""
    coming.parent.mkdir(mode=_PRIVATE_FOLDER, parents=True, exist_ok=True)
    for left in (coming, going):
        shutil.rmtree(left, ignore_errors=True)
    coming.mkdir(mode=_PRIVATE_FOLDER)


def put(coming: Path, going: Path, place: Path, *, release: str, root: str) -> None:
    """Have what was laid out take the place of what is there, whole or not at all."""
    document = {"format": _FORMAT, "release": release, "root": root}
    with (coming / "kit.json").open("x") as file:
        json.dump(document, file)
    # A release is thousands of files. All are to be there after a power cut, or none.
    _sync(coming.parent)
    shutil.rmtree(going, ignore_errors=True)
    with suppress(FileNotFoundError):
        place.rename(going)
    coming.rename(place)
    for folder in {place.parent, coming.parent}:
        _make_durable(folder)
    shutil.rmtree(going, ignore_errors=True)


def laid_out(place: Path) -> tuple[str, str] | None:
    """Give the release that lies whole in a place, and the root of its kit."""
    try:
        document = json.loads((place / "kit.json").read_bytes())
        release, root = document["release"], document["root"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return (release, root) if isinstance(release, str) and isinstance(root, str) else None


def command(module: str) -> list[str]:
    """Give what starts a module of a release."""
    # Neither the folder that somebody stands in nor a user's own packages are imported.
    return [sys.executable, "-s", "-P", "-m", module]


def environment(place: Path | None) -> dict[str, str]:
    """Give the environment in which the release in a place is started; None: the installed one."""
    if place is None:
        return dict(os.environ)
    inherited = dict(os.environ)
    # What is compiled lies with its release: a folder is used again, and would find another's.
    inherited.pop("PYTHONPYCACHEPREFIX", None)
    # Programs that the kit brought are found where the machine has none of that name.
    path = os.pathsep.join((inherited.get("PATH", os.defpath), str(place / "files")))
    return {**inherited, "PYTHONPATH": str(place / "site"), "PATH": path}


def _sync(folder: Path) -> None:
    """Have all that was written to a file system be on its disk; Python has no word for it."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if _libc.syncfs(descriptor):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
    finally:
        os.close(descriptor)


def _make_durable(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
