"""Other people's programs, as the tests call them."""

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

import pytest

Handle = Any
"""A connection of libnbd, which has no type stubs."""

# mke2fs is where only administrators look.
_PATH = os.environ["PATH"] + ":/usr/sbin:/sbin"
# Debian keeps its Python packages where a virtual environment does not look.
_DEBIAN_PACKAGES = Path("/usr/lib/python3/dist-packages")


def run(*command: str | Path, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a tool to its end and return what it printed; a failure shows its output."""
    require(str(command[0]))
    done = subprocess.run(
        [str(word) for word in command],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={**os.environ, "PATH": _PATH},
    )
    if check and done.returncode != 0:
        pytest.fail(
            f"{' '.join(done.args)}\nended with {done.returncode}\n{done.stdout}{done.stderr}"
        )
    return done


def require(tool: str) -> None:
    """Skip this test, or fail it in CI, when ``tool`` is not installed."""
    if shutil.which(tool, path=_PATH) is None:
        _missing(f"{tool} is not installed; tools/install_system_packages installs it")


def libnbd() -> ModuleType:
    """Libnbd's Python binding, which Debian builds for its own Python."""
    if "nbd" in sys.modules:
        return sys.modules["nbd"]
    binding = next(_DEBIAN_PACKAGES.glob(f"libnbdmod.{sys.implementation.cache_tag}-*.so"), None)
    if binding is None:
        _missing(f"no libnbd for {sys.implementation.cache_tag}; python3-libnbd brings Debian's")
    _load("libnbdmod", binding)
    return _load("nbd", _DEBIAN_PACKAGES / "nbd.py")


def sha256(path: Path) -> str:
    """Digest of a whole file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _load(name: str, path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _missing(reason: str) -> NoReturn:
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
