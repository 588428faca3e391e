"""``python -m corral.farm.entrypoints.cli`` is the program ``corral``."""

from corral.farm.entrypoints.cli.program import run

run()
