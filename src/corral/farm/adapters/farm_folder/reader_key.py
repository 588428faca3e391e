"""The key that opens the API's lists: whoever may read the farm folder has it."""

from pathlib import Path
from typing import Final

from corral.farm.adapters.farm_folder.private_file import write_private_file
from corral.farm.application.ports.sources import TokenSource
from corral.farm.domain.access.token import Token

FILE_NAME: Final = "reader.key"


def reader_key(folder: Path, tokens: TokenSource) -> Token:
    """Read ``reader.key`` of the farm folder; made at the first start of an API."""
    path = folder / FILE_NAME
    try:
        return Token.parse(path.read_text("ascii"))
    except FileNotFoundError:
        key = tokens.new()
        write_private_file(path, f"{key.reveal()}\n".encode("ascii"))
        return key
