"""``python -m corral.farm.entrypoints.stream``; ``corral serve stream`` becomes this."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from corral.farm.adapters import logs
from corral.farm.entrypoints.stream.main import serve


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until told to stop; raises errors of the domain if it cannot start."""
    parser = argparse.ArgumentParser(prog="corral serve stream", description="Stream to devices.")
    parser.add_argument("--config", type=Path, required=True, metavar="FILE")
    speech = parser.add_mutually_exclusive_group()
    speech.add_argument("--tls", action="store_const", const=True, dest="tls")
    speech.add_argument("--plain", action="store_const", const=False, dest="tls")
    parser.add_argument("--log-format", choices=("text", "json"), default="text")
    chosen = parser.parse_args(arguments)
    logs.set_up(chosen.log_format)
    serve(chosen.config.absolute(), tls=chosen.tls)
    return 0


if __name__ == "__main__":
    sys.exit(main())
