"""Files with secrets, in memory."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from corral.farm.domain.access.token import Token
    from corral.farm.domain.delivery.device import DeviceName
    from corral.farm.domain.estate.farm import Farm
    from corral.farm.domain.estate.server import Server


class MemorySecretFiles:
    """Remembers which secret went into which file."""

    def __init__(self) -> None:
        self.written: dict[Path, Token] = {}

    def for_server(self, farm: Farm, server: Server, token: Token, root: str) -> Path:  # noqa: ARG002
        """Remember a server's token."""
        path = Path("/", str(farm.name), "servers", f"{server.name}.json")
        self.written[path] = token
        return path

    def for_device(self, device: DeviceName, key: Token, path: Path | None) -> Path:
        """Remember a device's key."""
        path = path or Path("/devices", f"{device}.key")
        self.written[path] = key
        return path
