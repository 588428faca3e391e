"""Files that hand a secret to its owner."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pathlib import Path

    from corral.farm.domain.access.token import Token
    from corral.farm.domain.delivery.device import DeviceName
    from corral.farm.domain.estate.farm import Farm
    from corral.farm.domain.estate.server import Server


class SecretFiles(Protocol):
    """Writes secrets to files that only their owner can read: the one place where they ever are.

    An existing file is replaced as a whole. Raises ``DiskUnreadableError`` if that fails.
    """

    def for_server(self, farm: Farm, server: Server, token: Token, root: str) -> Path:
        """Write the file that the server's stream process starts from; give its path.

        ``root`` is the farm's root certificate, by which the server knows the farm.
        """
        ...

    def for_device(self, device: DeviceName, key: Token, path: Path | None) -> Path:
        """Write a device's key to ``path``, or to its place in the farm's folder; give the path."""
        ...
