"""One virtual machine's process, listened to as long as it lives."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from qemu.qmp import EventListener, ExecuteError, QMPClient, QMPError

from corral.engine.domain.failures import ProcessFailedError
from corral.engine.domain.machine.seen import Installing, Power
from corral.guest import agent

if TYPE_CHECKING:
    from collections.abc import Callable

    from qemu.qmp import Message

    from corral.engine.adapters.qemu.places import Places
    from corral.engine.application.ports import Clock
    from corral.engine.domain.moment import Moment

_LOOK_SECONDS: Final = 2.0
_CONNECT_SECONDS: Final = 0.2
_ANSWER_SECONDS: Final = 15.0

_LISTEN_SECONDS: Final = 30.0
"""How long an engine listens before it says of a guest that it says nothing."""

_POWERS: Final = {
    "running": Power.RUNNING,
    "shutdown": Power.SHUT_DOWN,
    "guest-panicked": Power.PANICKED,
    "internal-error": Power.PANICKED,
}
_EVENTS: Final = (
    *("SHUTDOWN", "RESET", "STOP", "RESUME", "GUEST_PANICKED"),
    *("VSERPORT_CHANGE", "BLOCK_IO_ERROR"),
)


@dataclass(frozen=True)
class Observation:
    """What was last seen of it."""

    power: Power = Power.UNREACHABLE
    was_reset: bool = False
    root: str | None = None
    is_healthy: bool | None = None
    healthy_since: Moment | None = None
    first_heard: Moment | None = None
    connected: Moment | None = None
    guest_tools: str | None = None
    installing: Installing | None = None
    installing_problem: str = ""
    is_accelerator_broken: bool = False
    """The kernel could not go on with it: not the guest's fault."""


@dataclass
class Watcher:
    """Lives in one event loop; its observation may be read from anywhere."""

    places: Places
    clock: Clock
    on_change: Callable[[], None]
    observation: Observation = field(default_factory=Observation)
    _monitor: QMPClient | None = None
    _guest: QMPClient | None = None
    _installation: asyncio.Task[None] | None = None
    _listener: EventListener = field(default_factory=lambda: EventListener(_EVENTS))

    async def watch(self) -> None:
        """Listen until cancelled."""
        try:
            while True:
                with suppress(QMPError, OSError, TimeoutError, EOFError, asyncio.CancelledError):
                    await self._listen()
                if (task := asyncio.current_task()) is not None and task.cancelling():
                    return
                self._see(power=Power.UNREACHABLE, is_healthy=None, healthy_since=None)
                await asyncio.sleep(_CONNECT_SECONDS)
        finally:
            if self._installation is not None:
                self._installation.cancel()
            await self._hang_up(self._guest)
            await self._hang_up(self._monitor)

    async def execute(self, command: str, arguments: dict[str, Any] | None = None) -> Any:  # noqa: ANN401 - whatever QEMU answers
        """Have QEMU do something; raises ``ProcessFailedError``."""
        if self._monitor is None:
            raise ProcessFailedError(self.places.folder.name, "its process does not answer")
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                return await self._monitor.execute(command, arguments)
        except ExecuteError as error:
            raise ProcessFailedError(self.places.folder.name, f"{command}: {error}") from error
        except (QMPError, OSError, TimeoutError, EOFError) as error:
            raise ProcessFailedError(
                self.places.folder.name, f"{command} was not answered"
            ) from error

    async def shut_down(self) -> None:
        """Ask by the power button, and by the agent where there is one."""
        await self.execute("system_powerdown")
        if self._guest is not None:
            # One that obeys does not answer any more.
            with suppress(QMPError, OSError, TimeoutError, EOFError):
                async with asyncio.timeout(1.0):
                    await self._guest.execute("guest-shutdown")

    async def install_tools(self) -> None:
        """Have the guest install the tools on its medium; returns when that has begun.

        Raises ``ProcessFailedError`` if its agent is not there.
        """
        if self._guest is None or self.observation.installing is Installing.RUNNING:
            raise ProcessFailedError(self.places.folder.name, "its guest agent does not answer")
        try:
            begun = await agent.begin_installation(self._guest)
        except agent.InstallationError as error:
            self._see(installing=Installing.FAILED, installing_problem=str(error))
            return
        except (QMPError, OSError, TimeoutError, EOFError) as error:
            reason = "its guest agent does not answer"
            raise ProcessFailedError(self.places.folder.name, reason) from error
        self._see(installing=Installing.RUNNING, installing_problem="")
        self._installation = asyncio.create_task(self._see_installed(begun))

    async def _see_installed(self, begun: agent.Installation) -> None:
        """Look how it goes, until it has ended; an agent may be away for a while meanwhile."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            if self._guest is None:
                continue
            try:
                is_installed = await agent.is_installed(self._guest, begun)
            except agent.InstallationError as error:
                self._see(installing=Installing.FAILED, installing_problem=str(error))
                return
            except ExecuteError:
                # The agent was restarted and has forgotten it: it is begun again.
                self._see(installing=None)
                return
            except (QMPError, OSError, TimeoutError, EOFError):
                continue
            if is_installed:
                self._see(installing=Installing.DONE)
                return

    async def _listen(self) -> None:
        await self._hang_up(self._monitor)
        self._monitor = None
        monitor = QMPClient()
        self._listener = EventListener(_EVENTS)
        monitor.register_listener(self._listener)
        async with asyncio.timeout(_ANSWER_SECONDS):
            await monitor.connect(str(self.places.monitor))
        self._monitor = monitor
        self._see(connected=self.clock.now(), first_heard=None)
        guest = asyncio.create_task(self._listen_to_guest())
        try:
            while True:
                await self._look()
                # Each event is a reason to look at once.
                with suppress(TimeoutError):
                    async with asyncio.timeout(_LOOK_SECONDS):
                        event = await self._listener.get()
                        if event["event"] == "RESET" and _was_by_guest(event):
                            self._see(was_reset=True)
        finally:
            guest.cancel()
            with suppress(asyncio.CancelledError):
                await guest

    async def _look(self) -> None:
        status = await self.execute("query-status")
        power = _POWERS.get(str(status["status"]), Power.PAUSED)
        nodes = await self.execute("query-named-block-nodes", {"flat": True})
        self._see(
            power=power,
            root=_root(nodes),
            is_accelerator_broken=status["status"] == "internal-error",
        )

    async def _listen_to_guest(self) -> None:
        while True:
            try:
                await self._talk_to_guest()
            except (QMPError, OSError, TimeoutError, EOFError, KeyError, ValueError):
                since = self.observation.connected
                has_listened = since is not None and self.clock.now().has_passed(
                    since, _LISTEN_SECONDS
                )
                was_heard = self.observation.healthy_since is not None
                if has_listened or was_heard:
                    self._see(is_healthy=False, healthy_since=None)
            await self._hang_up(self._guest)
            self._guest = None
            await asyncio.sleep(_CONNECT_SECONDS * 2)

    async def _talk_to_guest(self) -> None:
        await self._expect_guest()
        self._guest = guest = await agent.connect(self.places.guest)
        await agent.synchronise(guest)
        self._heard(await agent.tools_of(guest))
        while True:
            await agent.ping(guest)
            self._heard(self.observation.guest_tools)
            await asyncio.sleep(_LOOK_SECONDS)
            await self._expect_guest()

    async def _expect_guest(self) -> None:
        """Raise ``EOFError`` unless something in the guest has opened the agent's port."""
        devices = await self.execute("query-chardev")
        if not any(one["label"] == "guest" and one["frontend-open"] for one in devices):
            raise EOFError

    def _heard(self, tools: str | None) -> None:
        now = self.clock.now()
        seen = self.observation
        self._see(
            is_healthy=True,
            healthy_since=seen.healthy_since or now,
            first_heard=seen.first_heard or now,
            guest_tools=tools,
        )

    def _see(self, **changes: Any) -> None:  # noqa: ANN401 - fields of an observation
        after = replace(self.observation, **changes)
        if after != self.observation:
            self.observation = after
            self.on_change()

    async def _hang_up(self, client: QMPClient | None) -> None:
        if client is not None:
            with suppress(QMPError, OSError, EOFError):
                await client.disconnect()


def _root(nodes: list[dict[str, Any]]) -> str | None:
    """Give the version that the disk reads from, as QEMU's own connection names it."""
    for node in nodes:
        if node.get("node-name") == "base":
            name = str(node.get("file", ""))
            return name.removeprefix("nbd+unix:///").partition("?")[0] or None
    return None


def _was_by_guest(event: Message) -> bool:
    data = event["data"]
    return isinstance(data, dict) and bool(data.get("guest"))
