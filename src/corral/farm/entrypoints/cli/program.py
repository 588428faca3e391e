"""Where the program begins: what may happen before the command line is there to handle it."""

import sys


def run() -> None:
    """Run the program; an interrupt while it is still being loaded ends it without a traceback."""
    try:
        from corral.farm.entrypoints.cli.main import run as run_command_line  # noqa: PLC0415
    except KeyboardInterrupt:
        sys.stderr.write("error: interrupted\ncode: interrupted\n")
        sys.exit(130)
    run_command_line()
