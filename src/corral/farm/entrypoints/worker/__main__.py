"""``python -m corral.farm.entrypoints.worker``; ``corral serve worker`` becomes this."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from corral.farm.adapters import logs
from corral.farm.domain.estate.address import Address
from corral.farm.domain.estate.server import server_name
from corral.farm.entrypoints.worker.main import serve
from corral.farm.settings import FarmSettings


def main(arguments: Sequence[str] | None = None) -> int:
    """Run tasks until told to stop; raises errors of the domain if it cannot start."""
    parser = argparse.ArgumentParser(prog="corral serve worker", description="Run the tasks.")
    parser.add_argument("--farm", type=Path, help="the farm folder (CORRAL_FARM)")
    parser.add_argument("--server", action="append", metavar="SERVER", help="whose store it has")
    parser.add_argument("--metrics", metavar="ADDRESS", help="where metrics are read")
    parser.add_argument("--log-format", choices=("text", "json"), default="text")
    chosen = parser.parse_args(arguments)
    logs.set_up(chosen.log_format)
    servers = None if chosen.server is None else [server_name(one) for one in chosen.server]
    metrics_at = None if chosen.metrics is None else Address.parse(chosen.metrics)
    serve(FarmSettings.read(chosen.farm, os.environ), servers, metrics_at)
    return 0


if __name__ == "__main__":
    sys.exit(main())
