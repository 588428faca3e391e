"""Where the program begins: what may happen before the command line is there to handle it."""

import sys


def run() -> None:
    """Run the program; an interrupt while it is still being loaded ends it without a traceback."""
    try:
        from corral.engine.entrypoints.cli.main import app  # noqa: PLC0415
    except KeyboardInterrupt:
        sys.stderr.write("error: interrupted\ncode: interrupted\n")
        sys.exit(130)
    app(prog_name="corral-engine")
