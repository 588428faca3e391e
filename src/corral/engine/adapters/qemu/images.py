"""Disks in qcow2, by qemu-img."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING, Any, Final

from corral.engine.adapters.files import make_durable, make_folder, reason_of
from corral.engine.adapters.qemu.accelerator import program
from corral.engine.domain.failures import ProcessFailedError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_SECONDS: Final = 120.0


def create_overlay(path: Path, root: str, socket: Path, size_bytes: int) -> None:
    """Make an empty disk over a version, in the place of what was there.

    The version's root stands in its head, so that a disk itself says what it belongs to.
    """
    base = f"nbd+unix:///{root}?socket={socket}"
    _create(path, ["-F", "raw", "-u", "-b", base], size_bytes)


def create_disk(path: Path, size_bytes: int) -> None:
    """Make an empty disk."""
    _create(path, [], size_bytes)


def grow(path: Path, size_bytes: int) -> None:
    """Make a disk larger; one that is as large already stays as it is."""
    if int(_facts(path)["virtual-size"]) < size_bytes:
        _run(path, ["resize", "-q", "-f", "qcow2", str(path), str(size_bytes)])


def base_of(path: Path) -> str | None:
    """Give the root of the version that a disk is over."""
    backing = str(_facts(path).get("backing-filename", ""))
    root = backing.removeprefix("nbd+unix:///").partition("?")[0]
    return root or None


def snapshots(path: Path) -> list[str]:
    """Give the names of a disk's snapshots."""
    found = _facts(path).get("snapshots", [])
    return [str(one["name"]) for one in found] if isinstance(found, list) else []


def take_snapshot(path: Path, name: str) -> None:
    """Keep how a disk is, under a name."""
    _run(path, ["snapshot", "-q", "-c", name, _alone(path)])


def revert(path: Path, name: str) -> None:
    """Have a disk be as it was."""
    _run(path, ["snapshot", "-q", "-a", name, _alone(path)])


def delete_snapshot(path: Path, name: str) -> None:
    """Forget a snapshot."""
    _run(path, ["snapshot", "-q", "-d", name, _alone(path)])


def _create(path: Path, options: Sequence[str], size_bytes: int) -> None:
    beside = path.with_name(f".{path.name}.new")
    try:
        make_folder(path.parent)
        beside.unlink(missing_ok=True)
        _run(path, ["create", "-q", "-f", "qcow2", *options, str(beside), str(size_bytes)])
        beside.chmod(0o600)
        descriptor = os.open(beside, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        beside.replace(path)
        make_durable(path.parent)
    except OSError as error:
        raise ProcessFailedError(path.parent.name, f"{path.name}: {reason_of(error)}") from error


def _alone(path: Path) -> str:
    """Name a disk without what is below it, which need not be there."""
    node = {
        "driver": "qcow2",
        "file": {"driver": "file", "filename": str(path)},
        "backing": None,
    }
    return f"json:{json.dumps(node)}"


def _facts(path: Path) -> dict[str, Any]:
    facts: dict[str, Any] = json.loads(_run(path, ["info", "-U", "--output=json", _alone(path)]))
    return facts


def _run(path: Path, arguments: Sequence[str]) -> str:
    try:
        done = subprocess.run(  # noqa: S603 - no shell; paths are absolute or inside JSON
            [program("qemu-img", "qemu-utils"), *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
            env={**os.environ, "LC_ALL": "C.UTF-8"},
        )
    except subprocess.TimeoutExpired:
        reason = f"qemu-img took longer than {_SECONDS:.0f} s with {path.name}"
        raise ProcessFailedError(path.parent.name, reason) from None
    if done.returncode != 0:
        said = done.stderr.strip().rpartition("\n")[2].removeprefix("qemu-img: ")
        raise ProcessFailedError(path.parent.name, f"{path.name}: {said}")
    return done.stdout
