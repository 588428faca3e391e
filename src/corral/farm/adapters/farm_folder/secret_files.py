"""Server files and device keys, as JSON and text that only their owner can read."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Final

from corral.farm.adapters.farm_folder.private_file import write_private_file
from corral.farm.domain.image.errors import DiskUnreadableError

if TYPE_CHECKING:
    from pathlib import Path

    from corral.farm.domain.access.token import Token
    from corral.farm.domain.delivery.device import DeviceName
    from corral.farm.domain.estate.farm import Farm
    from corral.farm.domain.estate.server import Server

_FORMAT: Final = 1


class FolderSecretFiles:
    """Keeps them in ``servers/`` and ``devices/`` of the farm's folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def for_server(self, farm: Farm, server: Server, token: Token, root: str) -> Path:
        """Write ``servers/<name>.json``, from which ``corral serve stream`` starts."""
        content = {
            "format": _FORMAT,
            "farm": str(farm.id),
            "farm_public_key": base64.b64encode(farm.public_key).decode("ascii"),
            "server": str(server.name),
            "token": token.reveal(),
            "api_urls": list(farm.api_urls),
            "store": str(server.store.path),
            "listen": [str(address) for address in server.listen],
            "chunks": str(server.chunks_listen),
            "certificate_authority": root,
        }
        path = self._folder / "servers" / f"{server.name}.json"
        return _written(path, json.dumps(content, indent=2) + "\n")

    def for_device(self, device: DeviceName, key: Token, path: Path | None) -> Path:
        """Write the key as one line, in ``devices/<name>.key`` unless told where."""
        path = path or self._folder / "devices" / f"{device}.key"
        return _written(path, key.reveal() + "\n")


def _written(path: Path, content: str) -> Path:
    try:
        write_private_file(path, content.encode())
    except OSError as error:
        raise DiskUnreadableError(path, (error.strerror or str(error)).lower()) from error
    return path
