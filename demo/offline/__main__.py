"""``python -m demo.offline``: see ``--help``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from demo.bootable_disk import missing
from demo.display import Display, mebibytes
from demo.errors import DemoError
from demo.offline.report import CAME_TO_COMPUTERS, CAME_TO_OFFICE, Report
from demo.offline.story import Story, Wishes
from demo.processes import Programs, Runner
from demo.telling import prepare, tell

if TYPE_CHECKING:
    from collections.abc import Sequence

_EPILOGUE = """\
exit codes:
  0    every step was done and every promise kept
  1    a step failed; the last lines say which, and why
  130  interrupted

Logs of every program are in build/offline/logs/, the result is in build/offline-result.json.
It needs no root. Guests are started by KVM where there is, else emulated, which is slow.
"""


def parse(arguments: Sequence[str]) -> Wishes:
    """Read the command line."""
    here = Path(__file__).resolve().parent.parent.parent
    programs = Path(sys.executable).parent
    parser = argparse.ArgumentParser(
        prog="make demo-offline",
        description="Two computers get a version, lose the network, and go on; the next version is "
        "proven by one user before all others get it, and a broken one goes back by itself.",
        epilog=_EPILOGUE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--build", type=Path, default=here / "build", help="where logs and the result go"
    )
    parser.add_argument("--corral", type=Path, default=programs / "corral", help=argparse.SUPPRESS)
    parser.add_argument(
        "--engine", type=Path, default=programs / "corral-engine", help=argparse.SUPPRESS
    )
    given = parser.parse_args(arguments)
    return Wishes(given.build.absolute(), given.corral.absolute(), given.engine.absolute())


def run(wishes: Wishes) -> int:
    """Run the demonstration; the exit code."""
    display = Display()
    logs = wishes.build / "offline" / "logs"
    try:
        _prepare(wishes, logs)
    except DemoError as error:
        display.failure(str(error))
        return 1
    programs, report = Programs(logs), Report()
    story = Story(wishes, display, Runner(logs, display), programs, report)

    def end() -> None:
        programs.stop_all()
        story.close()
        report.write(wishes.build / "offline-result.json")

    code = tell(story.tell, end, report, display)
    _summary(display, report)
    display.fact(f"result: {wishes.build / 'offline-result.json'}; logs: {logs}")
    return code


def _prepare(wishes: Wishes, logs: Path) -> None:
    lacking = missing()
    if lacking:
        message = f"{', '.join(lacking)} not there: run `make setup`, which installs them"
        raise DemoError(message)
    programs = {wishes.corral: "native", wishes.engine: "native"}
    prepare(programs, logs, [wishes.build / "offline-result.json"])


def _summary(display: Display, report: Report) -> None:
    rows = [
        (
            step.name,
            f"{step.seconds:.1f}",
            mebibytes(int(step.facts.get(CAME_TO_OFFICE, 0))),
            mebibytes(int(step.facts.get(CAME_TO_COMPUTERS, 0))),
            "done" if step.ok else "FAILED",
        )
        for step in report.steps
    ]
    display.table("Summary", ("step", "seconds", "to the office", "to the computers", ""), rows)


if __name__ == "__main__":
    sys.exit(run(parse(sys.argv[1:])))
