"""Write the wheels that a release of the engine consists of: what a kit and the package hold.

The engine's own part comes from this checkout, under the release that is asked for, without the
farm's.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Final

import wheels

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT: Final = wheels.ROOT
SOURCES: Final = wheels.SOURCES
PARTS: Final = ("corral/__init__.py", "corral/engine", "corral/guest", "corral/kit", "corral/wire")
NEEDS: Final = (
    "cryptography",
    "fastapi",
    "httpx",
    "jinja2",
    "pydantic",
    "qemu.qmp",
    "structlog",
    "typer",
    "uvicorn",
)
"""What the engine imports itself; what these need follows."""
checkout_release = wheels.checkout_release


def write_all(folder: Path, release: str) -> list[Path]:
    """Write every wheel."""
    own = [write_own(folder, release), wheels.write_native(folder)]
    return [*own, *wheels.write_needed(folder, NEEDS)]


def write_own(folder: Path, release: str, parts: Sequence[str] = PARTS) -> Path:
    """Write the wheel of the engine itself, without the farm's part; or of other parts."""
    return wheels.write_own(folder, release, parts)


def main() -> None:
    """Write them."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, help="where the wheels go")
    parser.add_argument("--release", default=checkout_release(), help="(%(default)s)")
    parser.add_argument("--only-own", action="store_true", help="not what the engine needs")
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    if asked.only_own:
        written = [write_own(asked.folder, asked.release)]
    else:
        written = write_all(asked.folder, asked.release)
    for wheel in written:
        print(wheel)


if __name__ == "__main__":
    main()
