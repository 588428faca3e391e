"""The last configuration, on disk: what a stream process works from while the API is away."""

from pathlib import Path

import structlog
from pydantic import ValidationError

from corral.farm.adapters.farm_folder.private_file import write_private_file
from corral.wire.server import ServerConfiguration

_log = structlog.get_logger("corral.stream")


class KeptConfiguration:
    """A file beside the server's own; only its owner may read it, for it holds a ticket."""

    def __init__(self, server_file: Path) -> None:
        self._path = server_file.with_name(f"{server_file.stem}.last.json")

    def read(self) -> ServerConfiguration | None:
        """Give what was kept; None if there is nothing, or nothing that this release can read."""
        try:
            return ServerConfiguration.model_validate_json(self._path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValidationError) as error:
            # Not fatal: the API has it. `ValidationError` quotes values, which may be secrets.
            _log.warning("the kept configuration is of no use", reason=type(error).__name__)
            return None

    def forget(self) -> None:
        """Have nothing to start from the next time. A disk that refuses keeps it."""
        try:
            self._path.unlink(missing_ok=True)
        except OSError as error:
            _log.warning("cannot forget the configuration", path=str(self._path), reason=str(error))

    def write(self, configuration: ServerConfiguration) -> None:
        """Keep it, whole or not at all. A disk that refuses must not stop a stream."""
        try:
            write_private_file(self._path, configuration.model_dump_json().encode())
        except OSError as error:
            _log.warning("cannot keep the configuration", path=str(self._path), reason=str(error))
