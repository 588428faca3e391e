"""The port ``DiskFiles`` on QEMU's programs."""

from __future__ import annotations

import errno
import os
import re
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING, Final, assert_never

from corral.farm.adapters.qemu import programs
from corral.farm.adapters.qemu.block_graph import DRIVERS, graph_of, layers_of, refusal
from corral.farm.adapters.qemu.soundness import refuse_damaged
from corral.farm.application.ports.disk_files import (
    DiskFacts,
    DiskFormat,
    NbdSocket,
    RawFile,
    ReadableDisk,
)
from corral.farm.application.progress import Amounts
from corral.farm.domain.image.errors import (
    DiskUnreadableError,
    ExportExistsError,
    WorkCancelledError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from subprocess import Popen

    from corral.farm.application.ports.scratch import Scratch
    from corral.farm.application.progress import Progress

_PERCENT: Final = re.compile(r"\((\d+(?:\.\d+)?)/100%\)")
_OPTIONS: Final = {
    DiskFormat.VHD: ("-o", "force_size=on")
}  # else the size is rounded to a geometry


class QemuDiskFiles:
    """Reads and writes disk image files through qemu-img and qemu-nbd."""

    def __init__(self, scratch: Scratch) -> None:
        self._scratch = scratch

    def inspect(self, path: Path, wanted: DiskFormat | None = None) -> DiskFacts:
        """Look at a file and all that it builds on; a file that is not whole is refused."""
        layers = layers_of(path, wanted)
        for layer in layers:
            refuse_damaged(layer)
        top = layers[0]
        return DiskFacts(path, top.format, top.size_bytes)

    @contextmanager
    def opened(self, disk: DiskFacts) -> Iterator[ReadableDisk]:
        """Lend a raw disk as it is, and any other through a qemu-nbd of its own."""
        layers = layers_of(disk.path, disk.format)
        top = layers[0]
        if top.format is DiskFormat.RAW:
            yield RawFile(top.path, top.size_bytes)
            return
        try:
            serving = programs.served_over_nbd(graph_of(layers), self._scratch)
            socket = serving.__enter__()
        except programs.QemuError as error:
            raise refusal(disk.path, error) from error
        try:
            yield NbdSocket(socket, "", top.size_bytes, origin=disk.path)
        finally:
            serving.__exit__(None, None, None)

    def write(
        self,
        source: ReadableDisk,
        target: Path,
        wanted: DiskFormat,
        progress: Progress,
        *,
        overwrite: bool,
    ) -> None:
        """Write beside ``target`` and put it in its place when it is whole."""
        if not overwrite and target.exists():
            raise ExportExistsError(target)
        try:
            with self._scratch.beside(target) as folder:
                unfinished = folder / "disk"
                _convert(source, unfinished, target, wanted, progress)
                _flush(unfinished)
                _put(unfinished, target, overwrite=overwrite)
        except OSError as error:
            raise DiskUnreadableError(target, _reason(error)) from error


def _convert(
    source: ReadableDisk, unfinished: Path, target: Path, wanted: DiskFormat, progress: Progress
) -> None:
    arguments = [
        *("convert", "-p", "-O", DRIVERS[wanted], *_OPTIONS.get(wanted, ())),
        *(programs.file_name(node_of(source)), str(unfinished.absolute())),
    ]
    with programs.answering(arguments) as process:
        meter = _ConvertMeter(process, source.size_bytes)
        progress.watch(meter)
        said = ""
        for line in process.stdout or ():  # universal newlines: the \r of a progress line ends it
            percent = _PERCENT.search(line)
            if percent is not None:
                meter.reached(float(percent[1]))
            elif line.strip():
                said = line
        if process.wait() != 0:
            if progress.is_cancelled:
                what = f"the export to {target}"
                raise WorkCancelledError(what)
            raise DiskUnreadableError(target, programs.last_line(said))
        meter.reached(100.0)


def node_of(source: ReadableDisk) -> programs.BlockNode:
    """Give the graph of a disk that somebody lends."""
    match source:
        case RawFile(path):
            return {"driver": "raw", "file": {"driver": "file", "filename": str(path)}}
        case NbdSocket(socket, export):
            server = {"type": "unix", "path": str(socket)}
            return {"driver": "raw", "file": {"driver": "nbd", "server": server, "export": export}}
        case _:
            assert_never(source)


def _flush(file: Path) -> None:
    descriptor = os.open(file, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _put(unfinished: Path, target: Path, *, overwrite: bool) -> None:
    if overwrite:
        unfinished.replace(target)
    else:
        try:
            target.hardlink_to(unfinished)  # unlike a rename, never over a file that just appeared
        except FileExistsError:
            raise ExportExistsError(target) from None
        except OSError as error:
            if error.errno not in (errno.EPERM, errno.EOPNOTSUPP):
                raise
            unfinished.rename(target)  # a file system without hard links
    folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


class _ConvertMeter:
    """Counts what qemu-img says that it has done."""

    def __init__(self, process: Popen[str], total_bytes: int) -> None:
        self._process = process
        self._total_bytes = total_bytes
        self._lock = Lock()
        self._percent = 0.0

    def reached(self, percent: float) -> None:
        with self._lock:
            self._percent = percent

    def amounts(self) -> Amounts:
        with self._lock:
            return Amounts(self._total_bytes, round(self._total_bytes * self._percent / 100))

    def cancel(self) -> None:
        self._process.terminate()


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
