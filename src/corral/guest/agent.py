"""What is said to a guest's agent, and how its answers are read."""

from __future__ import annotations

import asyncio
import base64
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from qemu.qmp import ExecuteError, QMPClient

from corral.guest.medium import INSTALL

if TYPE_CHECKING:
    from pathlib import Path

SECONDS: Final = 20.0
"""How long an answer may take: a guest that is emulated on a busy computer takes its time."""

_TOOLS_FILE: Final = "/etc/corral/guest-tools"
_MAXIMUM_TOOLS: Final = 64
_REASON_CHARACTERS: Final = 200


class InstallationError(Exception):
    """Guest tools are not in the guest; the message says why, in words."""


@dataclass(frozen=True)
class Installation:
    """One that was begun."""

    pid: int
    """Of its process in the guest."""


async def connect(socket: Path) -> QMPClient:
    """Give an agent that answers what is asked from now on; raises what QMP raises."""
    agent = QMPClient()
    # An agent has no greeting and no capabilities to be agreed upon.
    agent.await_greeting = agent.negotiate = False
    async with asyncio.timeout(SECONDS):
        await agent.connect(str(socket))
    return agent


async def synchronise(agent: QMPClient) -> None:
    """Read until the answer to this: those to whoever asked before may still lie in the line."""
    async with asyncio.timeout(SECONDS):
        number = secrets.randbelow(1 << 31)
        while await agent.execute("guest-sync", {"id": number}) != number:
            pass


async def ping(agent: QMPClient) -> None:
    """See that it answers."""
    async with asyncio.timeout(SECONDS):
        await agent.execute("guest-ping")


async def tools_of(agent: QMPClient) -> str | None:
    """Read which guest tools are in the guest; none if it does not say."""
    try:
        async with asyncio.timeout(SECONDS):
            arguments = {"path": _TOOLS_FILE, "mode": "r"}
            handle: Any = await agent.execute("guest-file-open", arguments)
            read: Any = await agent.execute(
                "guest-file-read", {"handle": handle, "count": _MAXIMUM_TOOLS}
            )
            await agent.execute("guest-file-close", {"handle": handle})
    except ExecuteError:
        return None
    return _decoded(str(read["buf-b64"]))


async def begin_installation(agent: QMPClient) -> Installation:
    """Have the guest install the tools on the medium; raises ``InstallationError`` if it cannot."""
    arguments = {"path": "/bin/sh", "arg": ["-c", INSTALL], "capture-output": True}
    try:
        async with asyncio.timeout(SECONDS):
            begun: Any = await agent.execute("guest-exec", arguments)
    except ExecuteError as error:
        # Its agent does not offer that, or has no shell: nothing will change that.
        message = f"its guest agent cannot install them: {error}"
        raise InstallationError(message) from error
    return Installation(int(begun["pid"]))


async def is_installed(agent: QMPClient, of: Installation) -> bool:
    """Whether an installation has come to its end.

    Raises ``InstallationError`` for one that failed, and ``ExecuteError`` if the agent was
    restarted meanwhile and has forgotten it.
    """
    async with asyncio.timeout(SECONDS):
        status: Any = await agent.execute("guest-exec-status", {"pid": of.pid})
    if not status["exited"]:
        return False
    if status.get("exitcode") == 0:
        return True
    said = _decoded(str(status.get("err-data", ""))) or "it did not say why"
    message = f"their installation failed: {said.rpartition(chr(10))[2][:_REASON_CHARACTERS]}"
    raise InstallationError(message)


def _decoded(text: str) -> str | None:
    return base64.b64decode(text).decode("ascii", "replace").strip() or None
