"""Lays wheels out, as an installer does: files into a folder that Python imports from.

No program, no network and no code of the wheel is needed for that. What a wheel wants put anywhere
else (scripts, headers) is left out: agents are started by a module's name.
"""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

SUFFIX: Final = ".whl"
_DATA: Final = ".data"
_IMPORTED: Final = frozenset({"purelib", "platlib"})


class WheelError(Exception):
    """A wheel cannot be laid out; says why."""


def lay_out(wheels: Iterable[Path], site: Path) -> None:
    """Put the wheels' files into ``site``; raises ``WheelError`` and ``OSError``."""
    for wheel in wheels:
        try:
            with zipfile.ZipFile(wheel) as archive:
                for one in archive.infolist():
                    _lay_one_out(archive, one, site, wheel)
        except (zipfile.BadZipFile, NotImplementedError, EOFError) as error:
            message = f"{wheel.name} is not a wheel: {error}"
            raise WheelError(message) from error


def _lay_one_out(archive: zipfile.ZipFile, one: zipfile.ZipInfo, site: Path, wheel: Path) -> None:
    path = PurePosixPath(one.filename)
    if path.is_absolute() or ".." in path.parts or "\\" in one.filename:
        message = f"{wheel.name} would put a file at {one.filename!r}"
        raise WheelError(message)
    inside = _inside(path)
    if one.is_dir() or inside is None:
        return
    target = site / inside
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with archive.open(one) as source, target.open("xb") as file:
            shutil.copyfileobj(source, file)
    except FileExistsError:
        message = f"{wheel.name} and another wheel both have {inside}"
        raise WheelError(message) from None


def _inside(path: PurePosixPath) -> PurePosixPath | None:
    """Give where a file goes within the folder; None if it goes elsewhere."""
    if not path.parts or not path.parts[0].endswith(_DATA):
        return path
    if len(path.parts) > 2 and path.parts[1] in _IMPORTED:  # noqa: PLR2004 - NAME.data/KIND/…
        return PurePosixPath(*path.parts[2:])
    return None
