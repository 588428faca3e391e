"""Lock the Python dependencies of pyproject.toml, with hashes and without the address of any index.

Not ``uv lock``: its file records the address of the index it was made with, and ours must install
from whichever index the machine is set up for. Corral's own compiled distribution is left out; the
Makefile builds it.
"""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OWN = "corral-native"


def lock(requirements: list[str], output: Path) -> None:
    """Resolve ``requirements`` for every platform and write ``output``."""
    kept = [line for line in requirements if not line.startswith(OWN)]
    options = [
        "--universal",
        "--python-version",
        "3.11",
        "--generate-hashes",
        "--no-annotate",
        "--no-header",
    ]
    subprocess.run(
        [
            sys.executable,
            "-m",
            "uv",
            "pip",
            "compile",
            "--quiet",
            "--upgrade",
            *options,
            "-",
            "-o",
            str(output),
        ],
        input="\n".join(kept).encode(),
        check=True,
    )


def main() -> None:
    """Write both lock files."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    runtime = project["project"]["dependencies"]
    groups = project["dependency-groups"]
    lock(runtime, ROOT / "requirements" / "runtime.lock")
    lock([*runtime, *groups["dev"], *groups["build"]], ROOT / "requirements" / "dev.lock")


if __name__ == "__main__":
    main()
