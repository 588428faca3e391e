"""Write what a release of the farm's software consists of: its wheels, and its manifest.

The farm's own part comes from this checkout, under the release that is asked for: farm, engine and
wire, for a server hands engines what they are to run. What the release does to the schema, and what
it asks of others, is read from the code that goes into the wheel.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import wheels

PARTS: Final = ("corral",)
_FACTS: Final = """\
import json
from corral.farm.adapters.sql.schema_facts import schema_facts
from corral.farm.domain.image.version import IMAGE_FORMAT
from corral.farm.domain.upgrade import needs
print(json.dumps({
    "publishes_image_format": IMAGE_FORMAT,
    "oldest_engine": needs.OLDEST_ENGINE,
    "schema": schema_facts(),
    "oldest_console": needs.OLDEST_CONSOLE,
    "oldest_server": needs.OLDEST_SERVER,
    "oldest_target": needs.OLDEST_TARGET,
}))
"""


def write_all(folder: Path, release: str, sources: Path = wheels.SOURCES) -> list[Path]:
    """Write every wheel."""
    own = [write_own(folder, release, sources), wheels.write_native(folder)]
    return [*own, *wheels.write_needed(folder, wheels.project()["dependencies"])]


def write_own(folder: Path, release: str, sources: Path = wheels.SOURCES) -> Path:
    """Write the wheel of the farm itself."""
    return wheels.write_own(folder, release, PARTS, sources)


def facts(sources: Path = wheels.SOURCES) -> dict[str, Any]:
    """Ask the sources what the release does; in a process of its own, for they may be others."""
    said = subprocess.run(
        [sys.executable, "-P", "-c", _FACTS],
        env={**os.environ, "PYTHONPATH": str(sources)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(said.stdout)
    return {name: value for name, value in found.items() if value is not None}


def manifest(
    release: str, released_on: str, promises: dict[str, Any], sources: Path = wheels.SOURCES
) -> dict[str, Any]:
    """Give the manifest; ends the program if a promise is other than what the code says."""
    known = {
        "format": 1,
        "component": "farm",
        "release": release,
        "released_on": released_on,
        **facts(sources),
    }
    for name in promises.keys() & known.keys():
        if promises[name] != known[name]:
            sys.exit(f"error: {name} is {known[name]!r}, and not {promises[name]!r}: leave it out")
    return {"document": "1", **promises, **known}


def last_changed() -> str:
    """Give the day of the checkout's last commit, so that each build of it says the same."""
    said = subprocess.run(
        ["git", "-C", wheels.ROOT, "log", "-1", "--format=%cs"],
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    return said.stdout.strip() or sys.exit("error: no git here: say --released-on YYYY-MM-DD")


def main() -> None:
    """Write them."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, help="new folder, for all that goes into the kit")
    parser.add_argument("--release", default=wheels.checkout_release(), help="(%(default)s)")
    parser.add_argument("--manifest", type=Path, required=True, help="where the manifest goes")
    parser.add_argument(
        "--promises", type=Path, help="JSON with what no code can know, such as its upgrades"
    )
    parser.add_argument("--released-on", metavar="DAY", help="(day of the last commit)")
    parser.add_argument(
        "--beside",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="goes into the kit as it is: corral-target, a kit or a package of the engine",
    )
    parser.add_argument("--only-own", action="store_true", help="not what the farm needs")
    parser.add_argument(
        "--sources", type=Path, default=wheels.SOURCES, help="whose release it is (%(default)s)"
    )
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    if any(asked.folder.iterdir()):
        sys.exit(f"error: {asked.folder} is not empty, and all that is in it would go into the kit")
    promises = {} if asked.promises is None else json.loads(asked.promises.read_text("utf-8"))
    sources = asked.sources.absolute()
    said = manifest(asked.release, asked.released_on or last_changed(), promises, sources)
    if asked.only_own:
        written = [write_own(asked.folder, asked.release, sources)]
    else:
        written = write_all(asked.folder, asked.release, sources)
    written += [Path(shutil.copy(one, asked.folder)) for one in asked.beside]
    asked.manifest.write_text(json.dumps(said, indent=2) + "\n", "utf-8")
    for one in (*written, asked.manifest):
        print(one)


if __name__ == "__main__":
    main()
