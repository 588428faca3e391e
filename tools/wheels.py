"""Write wheels of what is in this checkout, and of what it needs, as it is installed here.

What is needed comes from the Python environment, as it was tested here, packed again as it was
installed: nothing is fetched, and nothing is compiled. Wheels are not compressed, so that two
releases share chunks; the same files give the same bytes.
"""

from __future__ import annotations

import csv
import io
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from importlib.metadata import Distribution, distribution
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from packaging.requirements import Requirement

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

ROOT: Final = Path(__file__).resolve().parent.parent
SOURCES: Final = ROOT / "src"
NATIVE: Final = ROOT / "crates" / "native" / "python" / "corral_native"
_OF_THIS_INSTALLATION: Final = frozenset({"RECORD", "INSTALLER", "REQUESTED", "direct_url.json"})
_LONG_AGO: Final = (1980, 1, 1, 0, 0, 0)
_PROGRAM: Final = 0o755
_PLAIN: Final = 0o644


def project() -> dict[str, Any]:
    """Give what this checkout says of itself."""
    said: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    return said


def checkout_release() -> str:
    """Give the release that this checkout says it is."""
    return str(project()["version"])


def write_own(folder: Path, release: str, parts: Iterable[str], sources: Path = SOURCES) -> Path:
    """Write the wheel of some parts of the sources."""
    found: dict[str, bytes] = {}
    for part in parts:
        top = sources / part
        files = [top] if top.is_file() else sorted(one for one in top.rglob("*") if one.is_file())
        for file in files:
            if "__pycache__" not in file.parts:
                found[file.relative_to(sources).as_posix()] = file.read_bytes()
    return _write(folder, "corral", release, "py3-none-any", found)


def write_native(folder: Path) -> Path:
    """Write the wheel of the data plane, as ``make native`` has built it, without its symbols."""
    found = {
        f"corral_native/{one.name}": one.read_bytes()
        for one in sorted(NATIVE.iterdir())
        if one.is_file()
    }
    libraries = [name for name in found if name.endswith(".so")]
    if not libraries:
        sys.exit("error: the data plane is not built yet: run 'make native'")
    for name in libraries:
        found[name] = _stripped(found[name])
    installed = distribution("corral-native")
    return _write(folder, "corral_native", installed.version, _tag(installed), found)


def write_needed(folder: Path, needs: Sequence[str]) -> list[Path]:
    """Write a wheel of each that is needed."""
    return [_write_installed(folder, one) for one in needed(needs)]


def needed(needs: Sequence[str]) -> Iterator[Distribution]:
    """Give what is needed, and what that needs, each once; the data plane is none of them."""
    found: dict[str, Distribution] = {}
    seen: set[tuple[str, frozenset[str]]] = set()
    waiting = [Requirement(line) for line in needs]
    while waiting:
        wanted = waiting.pop()
        key = re.sub(r"[-_.]+", "-", wanted.name).lower()
        if (key, frozenset(wanted.extras)) in seen or key == "corral-native":
            continue
        seen.add((key, frozenset(wanted.extras)))
        found[key] = distribution(wanted.name)
        for line in found[key].requires or ():
            further = Requirement(line)
            extras = wanted.extras or {""}
            if further.marker is None or any(
                further.marker.evaluate({"extra": extra}) for extra in extras
            ):
                waiting.append(further)
    yield from (found[key] for key in sorted(found))


def _write_installed(folder: Path, installed: Distribution) -> Path:
    found: dict[str, bytes] = {}
    for file in installed.files or ():
        is_inside = ".." not in file.parts and file.suffix != ".pyc"
        if is_inside and file.name not in _OF_THIS_INSTALLATION:
            found[file.as_posix()] = file.read_binary()
    name = re.sub(r"[-_.]+", "_", installed.metadata["Name"]).lower()
    return _write(folder, name, installed.version, _tag(installed), found)


def _tag(installed: Distribution) -> str:
    text = installed.read_text("WHEEL") or ""
    tags = [line.partition(": ")[2] for line in text.splitlines() if line.startswith("Tag: ")]
    return tags[0] if tags else "py3-none-any"


def _write(folder: Path, name: str, version: str, tag: str, files: dict[str, bytes]) -> Path:
    """Write a wheel; the same files give the same bytes."""
    described = next((one for one in files if one.endswith(".dist-info/METADATA")), None)
    about = described.partition("/")[0] if described else f"{name}-{version}.dist-info"
    files.setdefault(
        f"{about}/METADATA",
        f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode(),
    )
    is_pure = str(tag.endswith("-none-any")).lower()
    files.setdefault(
        f"{about}/WHEEL",
        f"Wheel-Version: 1.0\nGenerator: corral\nRoot-Is-Purelib: {is_pure}\nTag: {tag}\n".encode(),
    )
    record = io.StringIO()
    lines = csv.writer(record, lineterminator="\n")
    for path in sorted(files):
        lines.writerow((path, "", len(files[path])))
    lines.writerow((f"{about}/RECORD", "", ""))
    files[f"{about}/RECORD"] = record.getvalue().encode()
    target = folder / f"{name}-{version}-{tag}.whl"
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(files):
            entry = zipfile.ZipInfo(path, _LONG_AGO)
            entry.external_attr = (_PROGRAM if path.endswith(".so") else _PLAIN) << 16
            archive.writestr(entry, files[path])
    return target


def _stripped(library: bytes) -> bytes:
    if shutil.which("strip") is None:
        return library
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "library.so"
        path.write_bytes(library)
        subprocess.run(["strip", "--strip-unneeded", path], check=True)
        return path.read_bytes()
