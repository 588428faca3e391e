"""``python -m corral.engine.entrypoints.cli`` is ``corral-engine``."""

from corral.engine.entrypoints.cli.program import run

run()
