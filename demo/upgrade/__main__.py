"""``python -m demo.upgrade``: see ``--help``."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from demo.display import Display
from demo.errors import DemoError
from demo.processes import Programs, Runner
from demo.telling import prepare, tell
from demo.upgrade.report import Report
from demo.upgrade.story import Story, Wishes

if TYPE_CHECKING:
    from collections.abc import Sequence

_EPILOGUE = """\
exit codes:
  0    every step was done, every promise was kept, and no read has failed
  1    a step failed; the last lines say which, and why
  130  interrupted

Logs of every program are in build/upgrade/logs/, the result is in build/upgrade-result.json, and
the picture in build/upgrade-timeline.svg.
As root each machine is a network namespace; else an address of loopback, and there is no guest.
"""


def parse(arguments: Sequence[str]) -> Wishes:
    """Read the command line."""
    here = Path(__file__).resolve().parents[2]
    programs = Path(sys.executable).parent
    default_cache = os.environ.get("CORRAL_CACHE", "~/.cache/corral")
    parser = argparse.ArgumentParser(
        prog="make demo-upgrade",
        description="A farm goes to its next release while devices stream; one server fails, all "
        "goes back, and goes again.",
        epilog=_EPILOGUE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--devices", type=int, default=30, metavar="N", help="how many stream (%(default)s)"
    )
    parser.add_argument("--no-guest", action="store_true", help="clients alone, and no QEMU")
    parser.add_argument(
        "--no-namespaces", action="store_true", help="addresses of loopback, even as root"
    )
    parser.add_argument(
        "--build", type=Path, default=here / "build", help="where logs and results go"
    )
    parser.add_argument(
        "--cache", type=Path, default=Path(default_cache), help="where the guest's kernel is kept"
    )
    for option, default in (
        ("--client", here / "build" / "corral-target"),
        ("--corral", programs / "corral"),
        ("--engine", programs / "corral-engine"),
    ):
        parser.add_argument(option, type=Path, default=default, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    return Wishes(
        build=given.build.absolute(),
        cache=given.cache.expanduser().absolute(),
        corral=given.corral.absolute(),
        engine=given.engine.absolute(),
        client=given.client.absolute(),
        devices=given.devices,
        guest=not given.no_guest,
        namespaces=not given.no_namespaces,
    )


def run(wishes: Wishes) -> int:
    """Run the demonstration; the exit code."""
    display = Display()
    logs = wishes.build / "upgrade" / "logs"
    try:
        _prepare(wishes, logs)
    except DemoError as error:
        display.failure(str(error))
        return 1
    programs, report = Programs(logs), Report()
    story = Story(wishes, display, Runner(logs, display), programs, report)

    def end() -> None:
        story.close()
        programs.stop_all()
        story.clean_up()
        report.write(wishes.build / "upgrade-result.json")

    code = tell(story.tell, end, report, display)
    _summary(display, report)
    display.fact(
        f"result: {wishes.build / 'upgrade-result.json'};"
        f" picture: {wishes.build / 'upgrade-timeline.svg'}; logs: {logs}"
    )
    return code if report.ok or code else 1


def _prepare(wishes: Wishes, logs: Path) -> None:
    programs = {wishes.client: "target", wishes.corral: "native", wishes.engine: "native"}
    names = ("result.json", "timeline.svg")
    prepare(programs, logs, [wishes.build / f"upgrade-{name}" for name in names])


def _summary(display: Display, report: Report) -> None:
    rows = [
        (one.name, f"{one.seconds:.1f}", "done" if one.ok else "FAILED") for one in report.steps
    ]
    display.table("Summary", ("step", "seconds", ""), rows)
    stall = "-" if report.longest_stall_ms is None else f"{report.longest_stall_ms:.0f} ms"
    whose = f" ({report.longest_stall_of})" if report.longest_stall_of else ""
    display.fact(
        f"{report.devices} devices, I/O errors: {report.io_errors}; longest stall: {stall}{whose}"
    )


if __name__ == "__main__":
    sys.exit(run(parse(sys.argv[1:])))
