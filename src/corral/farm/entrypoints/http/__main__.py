"""``python -m corral.farm.entrypoints.http``; ``corral serve api`` becomes this."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from corral.farm.adapters import logs
from corral.farm.domain.estate.address import Address
from corral.farm.entrypoints.http.main import serve
from corral.farm.settings import FarmSettings

DEFAULT_LISTEN: Final = "127.0.0.1:10800"


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until told to stop; raises errors of the domain if it cannot start."""
    parser = argparse.ArgumentParser(prog="corral serve api", description="Serve the farm's API.")
    parser.add_argument("--farm", type=Path, help="the farm folder (CORRAL_FARM)")
    parser.add_argument("--listen", default=DEFAULT_LISTEN, metavar="HOST:PORT")
    parser.add_argument("--log-format", choices=("text", "json"), default="text")
    chosen = parser.parse_args(arguments)
    logs.set_up(chosen.log_format)
    serve(FarmSettings.read(chosen.farm, os.environ), Address.parse(chosen.listen))
    return 0


if __name__ == "__main__":
    sys.exit(main())
