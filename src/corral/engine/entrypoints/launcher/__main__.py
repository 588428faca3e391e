"""``python -m corral.engine.entrypoints.launcher`` is the launcher."""

import sys

from corral.engine.entrypoints.launcher.main import run

sys.exit(run(sys.argv[1:]))
