"""The port ``GuestTools``: the image's own guest installs them, started by QEMU on this machine.

The disk that is worked on is only read; what the guest writes goes to a file over it. A second
start, over that and thrown away, shows that the guest comes up with the new tools.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from corral.farm.adapters.qemu import programs
from corral.farm.adapters.qemu.disk_files import QemuDiskFiles, node_of
from corral.farm.adapters.qemu.guest_machine import AcceleratorBrokenError, GuestError, running
from corral.farm.application.ports.disk_files import DiskFormat, NbdSocket
from corral.farm.application.progress import Amounts, Progress
from corral.farm.domain.image.republishing_errors import GuestToolsNotInstalledError
from corral.farm.domain.library.errors import ReleaseInvalidError
from corral.farm.domain.library.release import Release
from corral.guest.accelerator import EMULATION, Accelerator, find_kvm
from corral.guest.hardware import SANDBOX, SYSTEM, Board, disk, file_node, medium, qcow2_node
from corral.wire import kit as wire

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from corral.farm.application.ports.disk_files import DiskFiles, ReadableDisk
    from corral.farm.application.ports.guest_tools import ToolsWork
    from corral.farm.application.ports.scratch import Scratch

_BASE: Final = "base"
_BELOW: Final = "written"
_PRIVATE: Final = 0o600


class QemuGuestTools:
    """Starts a guest twice: to install, and to see that it comes up."""

    def __init__(self, scratch: Scratch) -> None:
        self._scratch = scratch

    @contextmanager
    def installed(
        self, work: ToolsWork, progress: Progress, say: Callable[[str], None]
    ) -> Iterator[ReadableDisk]:
        """Lend the disk with the tools in it, through a qemu-nbd of its own."""
        progress.watch(_Unmeasured())
        with self._scratch.folder("republish") as folder:
            try:
                tools = _take_out(work, folder / "tools.img", QemuDiskFiles(self._scratch))
                written = _made(_Place(work, folder, tools), progress, say)
            except GuestError as error:
                raise GuestToolsNotInstalledError(work.image, str(error)) from error
            except programs.QemuError as error:
                raise GuestToolsNotInstalledError(work.image, str(error)) from error
            node = {**_file(written), "backing": node_of(work.disk)}
            with programs.served_over_nbd(node, self._scratch) as socket:
                yield NbdSocket(socket, "", work.disk.size_bytes, origin=written)


@dataclass(frozen=True)
class _Place:
    work: ToolsWork
    folder: Path
    tools: Path

    @property
    def what(self) -> str:
        return f"the republishing of {self.work.image}"

    @property
    def errors(self) -> Path:
        return self.folder / "qemu.log"

    def board(self, accelerator: Accelerator) -> Board:
        """Give a machine as the image's are; nothing on a network hears of it."""
        policy = self.work.policy
        return Board(
            name=self.work.image,
            process="corral:republish",
            memory_mib=policy.memory_mib,
            processors=policy.processors,
            accelerator=accelerator,
            monitor=self.folder / "monitor",
            agent=self.folder / "agent",
            reaches_network=False,
        )

    def base(self) -> programs.BlockNode:
        """Give the disk that is worked on, in which nothing changes."""
        return {**node_of(self.work.disk), "node-name": _BASE, "read-only": True}

    def overlay(self, name: str) -> Path:
        """Make an empty disk in the place of what was there."""
        path = self.folder / f"{name}.qcow2"
        path.unlink(missing_ok=True)
        size = str(self.work.disk.size_bytes)
        programs.query(["create", "-q", "-f", "qcow2", str(path), size])
        return path


def _made(place: _Place, progress: Progress, say: Callable[[str], None]) -> Path:
    """Give what the guest wrote while it installed the tools."""
    accelerator = find_kvm(programs.qemu()) or EMULATION
    try:
        return asyncio.run(_carried_out(place, accelerator, progress, say))
    except AcceleratorBrokenError:
        say("this machine's kernel could not go on with it: it is emulated")
    try:
        return asyncio.run(_carried_out(place, EMULATION, progress, say))
    except AcceleratorBrokenError:
        message = "QEMU reports an internal error"
        raise GuestError(message) from None


async def _carried_out(
    place: _Place, accelerator: Accelerator, progress: Progress, say: Callable[[str], None]
) -> Path:
    written = await _install(place, place.board(accelerator), progress, say)
    await _try_out(place, place.board(accelerator), written, progress, say)
    return written


async def _install(
    place: _Place, board: Board, progress: Progress, say: Callable[[str], None]
) -> Path:
    written = place.overlay("written")
    nodes = [place.base(), file_node(SYSTEM, written), qcow2_node(SYSTEM, _BASE)]
    words = [*disk(nodes, SYSTEM, boots=True), *medium(place.tools), *SANDBOX]
    within = place.work.policy.prove_within_seconds
    say(f"its guest starts, by {board.accelerator.name}, with guest tools {place.work.release}")
    async with running(board, words, progress, what=place.what, errors=place.errors) as machine:
        await machine.install_tools(within)
        say("it has installed them, and shuts down")
        await machine.shut_down(within)
    return written


async def _try_out(
    place: _Place, board: Board, written: Path, progress: Progress, say: Callable[[str], None]
) -> None:
    """See that the guest comes up with them; what it writes meanwhile is thrown away."""
    tried = place.overlay("tried")
    nodes = [
        place.base(),
        {**file_node(_BELOW, written), "read-only": True},
        {**qcow2_node(_BELOW, _BASE), "read-only": True},
        file_node(SYSTEM, tried),
        qcow2_node(SYSTEM, _BELOW),
    ]
    words = [*disk(nodes, SYSTEM, boots=True), *SANDBOX]
    say("it starts with them, on trial")
    async with running(board, words, progress, what=place.what, errors=place.errors) as machine:
        said = await machine.tools(place.work.policy.prove_within_seconds)
    if not _is_at_least(said, place.work.release):
        message = f"its guest says that its tools are {said or 'none'} after they were installed"
        raise GuestError(message)


def _is_at_least(said: str | None, release: Release) -> bool:
    try:
        return said is not None and Release.parse(said) >= release
    except ReleaseInvalidError:
        return False


def _take_out(work: ToolsWork, target: Path, disks: DiskFiles) -> Path:
    """Write the medium, out of the kit, whose every file is checked against its signed table."""
    kit = target.with_name("kit")
    disks.write(work.kit, kit, DiskFormat.RAW, Progress(), overwrite=False)
    with kit.open("r+b") as file:
        # It was lent as a disk, which consists of whole sectors.
        file.truncate(work.kit.size_bytes)
    with kit.open("rb") as file, target.open("xb") as medium_file:
        target.chmod(_PRIVATE)
        try:
            table = wire.read_table(wire.read_envelope(file).payload)
            wire.read_files(
                file,
                table,
                lambda one: medium_file.write if one.name == work.medium.name else _drop,
            )
        except wire.KitFormatError as error:
            message = f"the kit that brings guest tools {work.release} is damaged: {error}"
            raise GuestError(message) from error
    kit.unlink()
    return target


def _drop(piece: bytes) -> None:
    del piece


def _file(path: Path) -> programs.BlockNode:
    return {"driver": "qcow2", "file": {"driver": "file", "filename": str(path)}}


class _Unmeasured:
    """Work of which nobody knows how much there is; it looks itself whether it is cancelled."""

    def amounts(self) -> Amounts:
        return Amounts()

    def cancel(self) -> None:
        """Whoever waits for a guest looks at the progress."""
