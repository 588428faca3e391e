"""What a reader must know of the machine and the software to judge the figures."""

import os
import platform
import subprocess
import time
from pathlib import Path
from typing import Any

_VERSIONS = {
    "nbdkit": ["nbdkit", "--version"],
    "qemu-nbd": ["qemu-nbd", "--version"],
    "nbdcopy": ["nbdcopy", "--version"],
    "fio": ["fio", "--version"],
    "rustc": ["rustc", "--version"],
    "commit": ["git", "describe", "--always", "--dirty"],
}


def gather(root: Path) -> dict[str, Any]:
    """Read them from the machine; ``root`` is the checkout."""
    return {
        "measured_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "cores": len(os.sched_getaffinity(0)),
        "processor": _first("/proc/cpuinfo", "model name"),
        "memory": _first("/proc/meminfo", "MemTotal"),
        "kernel": platform.release().partition("-")[0],
        "system": platform.freedesktop_os_release().get("PRETTY_NAME", "unknown"),
        "python": platform.python_version(),
        "versions": {name: _first_line(command, root) for name, command in _VERSIONS.items()},
    }


def load() -> dict[str, float]:
    """How busy the machine is now: read before and after the run."""
    busy = Path("/proc/stat").read_text().splitlines()[0].split()
    return {"load_average_1min": os.getloadavg()[0], "stolen_ticks": float(busy[8])}


def _first(file: str, key: str) -> str:
    for line in Path(file).read_text().splitlines():
        if line.startswith(key):
            return line.partition(":")[2].strip()
    return "unknown"


def _first_line(command: list[str], folder: Path) -> str:
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=folder)
    return done.stdout.splitlines()[0]
