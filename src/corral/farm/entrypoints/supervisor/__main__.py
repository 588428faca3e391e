"""``python -m corral.farm.entrypoints.supervisor``; ``corral serve supervisor`` becomes this."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from corral.farm.adapters import logs
from corral.farm.entrypoints.supervisor.main import PROVE_SECONDS, SETTLE_SECONDS, Supervisor


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until told to stop; raises errors of the domain if it cannot start."""
    parser = argparse.ArgumentParser(prog="corral serve supervisor", description="Run services.")
    parser.add_argument("--releases", type=Path, required=True, metavar="DIR")
    parser.add_argument("--prove-within", type=float, default=PROVE_SECONDS, metavar="SECONDS")
    parser.add_argument("--settle", type=float, default=SETTLE_SECONDS, metavar="SECONDS")
    parser.add_argument("--log-format", choices=("text", "json"), default="text")
    chosen = parser.parse_args(arguments)
    logs.set_up(chosen.log_format)
    Supervisor(chosen.releases.absolute(), chosen.prove_within, chosen.settle)()
    return 0


if __name__ == "__main__":
    sys.exit(main())
