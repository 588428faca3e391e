"""One start of a guest on this machine: it is spoken to, waited for, and ended.

Its process ends with the block that started it, and with this process, however that ends.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from qemu.qmp import ExecuteError, QMPClient, QMPError

from corral.farm.adapters.qemu import programs
from corral.farm.domain.image.errors import WorkCancelledError
from corral.guest import agent as guest_agent

if TYPE_CHECKING:
    import subprocess
    from collections.abc import AsyncIterator
    from pathlib import Path

    from corral.farm.application.progress import Progress
    from corral.guest.hardware import Board

_SILENCE: Final = (QMPError, OSError, TimeoutError, EOFError)
_LOOK_SECONDS: Final = 0.5
_START_SECONDS: Final = 120.0
_ANSWER_SECONDS: Final = 15.0
_INSTALL_SECONDS: Final = 1_800.0
_SHUT_DOWN_SECONDS: Final = 300.0


class GuestError(Exception):
    """The guest did not do what it was started for; the message says why, in words."""


class AcceleratorBrokenError(Exception):
    """The kernel could not go on with the machine, which is none of its guest's fault."""


@dataclass
class GuestMachine:
    """A machine that runs."""

    board: Board
    progress: Progress
    what: str
    """What is done with it, should somebody cancel that."""
    process: subprocess.Popen[bytes]
    errors: Path
    monitor: QMPClient = field(default_factory=QMPClient)

    async def agent(self, within_seconds: float) -> QMPClient:
        """Give its guest agent once it answers."""
        ends = time.monotonic() + within_seconds
        while time.monotonic() < ends:
            await self._look()
            if await self._is_listened_to():
                agent = await self._answering()
                if agent is not None:
                    return agent
            await asyncio.sleep(_LOOK_SECONDS)
        message = f"its guest agent does not answer within {within_seconds:.0f} s"
        raise GuestError(message)

    async def install_tools(self, within_seconds: float) -> None:
        """Have the guest install what is on its medium; begun again if its agent forgets it."""
        ends = time.monotonic() + _INSTALL_SECONDS
        agent = await self.agent(within_seconds)
        begun: guest_agent.Installation | None = None
        while time.monotonic() < ends:
            await self._look()
            try:
                if begun is None:
                    begun = await guest_agent.begin_installation(agent)
                if await guest_agent.is_installed(agent, begun):
                    await _hang_up(agent)
                    return
            except guest_agent.InstallationError as error:
                raise GuestError(str(error)) from error
            except ExecuteError:
                begun = None
            except _SILENCE:
                await _hang_up(agent)
                agent = await self.agent(within_seconds)
            await asyncio.sleep(_LOOK_SECONDS)
        message = f"its guest did not install them within {_INSTALL_SECONDS:.0f} s"
        raise GuestError(message)

    async def tools(self, within_seconds: float) -> str | None:
        """Give the guest tools that it says it has, once it has come up."""
        agent = await self.agent(within_seconds)
        try:
            return await guest_agent.tools_of(agent)
        except _SILENCE as error:
            message = "its guest agent answered, and then no more"
            raise GuestError(message) from error
        finally:
            await _hang_up(agent)

    async def shut_down(self, within_seconds: float) -> None:
        """Have the guest switch itself off, so that its disk is clean."""
        agent = await self.agent(within_seconds)
        await self._execute("system_powerdown")
        with suppress(*_SILENCE):  # one that obeys does not answer any more
            async with asyncio.timeout(1.0):
                await agent.execute("guest-shutdown")
        await _hang_up(agent)
        ends = time.monotonic() + _SHUT_DOWN_SECONDS
        while time.monotonic() < ends:
            if await self._look() == "shutdown":
                await self._quit()
                return
            await asyncio.sleep(_LOOK_SECONDS)
        message = f"its guest did not shut down within {_SHUT_DOWN_SECONDS:.0f} s"
        raise GuestError(message)

    async def connect(self) -> None:
        """Wait until QEMU can be spoken to."""
        ends = time.monotonic() + _START_SECONDS
        while time.monotonic() < ends:
            if self.process.poll() is not None:
                message = f"QEMU does not start it: {self._said()}"
                raise GuestError(message)
            if self.board.monitor.exists():
                with suppress(*_SILENCE):
                    async with asyncio.timeout(_ANSWER_SECONDS):
                        await self.monitor.connect(str(self.board.monitor))
                    return
                await _hang_up(self.monitor)
                self.monitor = QMPClient()
            await asyncio.sleep(_LOOK_SECONDS)
        message = f"QEMU does not get ready within {_START_SECONDS:.0f} s"
        raise GuestError(message)

    async def _look(self) -> str:
        """Give what it does; raises where nothing is to be hoped for."""
        if self.progress.is_cancelled:
            raise WorkCancelledError(self.what)
        status: Any = await self._execute("query-status")
        match str(status["status"]):
            case "internal-error":
                raise AcceleratorBrokenError
            case "io-error":
                message = "this machine has no room left for what its guest writes"
                raise GuestError(message)
            case "guest-panicked":
                message = "its guest panics"
                raise GuestError(message)
            case other:
                return other

    async def _is_listened_to(self) -> bool:
        """Whether something in the guest has opened the agent's port."""
        devices: Any = await self._execute("query-chardev")
        return any(one["label"] == "guest" and one["frontend-open"] for one in devices)

    async def _answering(self) -> QMPClient | None:
        """Give its agent if it answers now."""
        with suppress(*_SILENCE):
            agent = await guest_agent.connect(self.board.agent)
            try:
                await guest_agent.synchronise(agent)
            except _SILENCE:
                await _hang_up(agent)
            else:
                return agent
        return None

    async def _execute(self, command: str) -> object:
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                return await self.monitor.execute(command)
        except _SILENCE as error:
            said = self._said() if self.process.poll() is not None else f"{command}: no answer"
            message = f"QEMU ended, or does not answer any more: {said}"
            raise GuestError(message) from error

    async def _quit(self) -> None:
        """End the process, which writes what it still has of its disks."""
        await self._execute("quit")
        ends = time.monotonic() + _ANSWER_SECONDS
        while self.process.poll() is None:
            if time.monotonic() > ends:
                message = "QEMU does not end"
                raise GuestError(message)
            await asyncio.sleep(_LOOK_SECONDS)

    def _said(self) -> str:
        return programs.last_line(self.errors.read_text("utf-8", "replace"))


@asynccontextmanager
async def running(
    board: Board, words: list[str], progress: Progress, *, what: str, errors: Path
) -> AsyncIterator[GuestMachine]:
    """Start a machine; when the block ends it is ended at once, if it has not ended itself."""
    for stale in (board.monitor, board.agent):
        stale.unlink(missing_ok=True)
    with programs.dying_with_us([programs.qemu(), *board.words(), *words], errors) as process:
        machine = GuestMachine(board, progress, what, process, errors)
        try:
            await machine.connect()
            yield machine
        finally:
            await _hang_up(machine.monitor)


async def _hang_up(client: QMPClient) -> None:
    with suppress(*_SILENCE):
        await client.disconnect()
