"""``python -m demo``: see ``--help``."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from demo.display import Display, mebibytes
from demo.errors import DemoError
from demo.processes import Programs, Runner
from demo.report import Report
from demo.story import Story, Wishes
from demo.telling import prepare, tell

if TYPE_CHECKING:
    from collections.abc import Sequence

_EPILOGUE = """\
exit codes:
  0    every step was done and every promise kept
  1    a step failed; the last lines say which, and why
  130  interrupted

Logs of every program are in build/demo/, the result is in build/demo-result.json.

examples:
  python -m demo                          all of it, on an image built from Debian packages
  python -m demo --no-guest               a verifying reader on a unix socket instead of QEMU
  python -m demo --image ~/desktop.qcow2  an image of your own
  python -m demo --keep                   leave the farm up, to play with
"""


def parse(arguments: Sequence[str]) -> Wishes:
    """Read the command line."""
    here = Path(__file__).resolve().parent.parent
    default_cache = os.environ.get("CORRAL_CACHE", "~/.cache/corral")
    parser = argparse.ArgumentParser(
        prog="make demo",
        description="Stream a golden image to a guest without a disk, kill the server that feeds "
        "it, publish the next version.",
        epilog=_EPILOGUE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--image", type=Path, metavar="PATH", help="an image to use instead of building one"
    )
    parser.add_argument(
        "--next-image",
        type=Path,
        metavar="PATH",
        help="with --image: the disk that becomes version 2",
    )
    parser.add_argument(
        "--no-guest",
        action="store_true",
        help="a verifying reader on a unix socket instead of QEMU",
    )
    parser.add_argument("--keep", action="store_true", help="leave the farm running at the end")
    parser.add_argument(
        "--build", type=Path, default=here / "build", help="where logs and the result go"
    )
    parser.add_argument(
        "--cache", type=Path, default=Path(default_cache), help="where built images are kept"
    )
    parser.add_argument(
        "--client", type=Path, default=here / "build" / "corral-target", help=argparse.SUPPRESS
    )
    parser.add_argument(
        "--corral",
        type=Path,
        default=Path(sys.executable).parent / "corral",
        help=argparse.SUPPRESS,
    )
    given = parser.parse_args(arguments)
    if given.next_image is not None and given.image is None:
        parser.error("--next-image needs --image")
    return Wishes(
        build=given.build.absolute(),
        cache=given.cache.expanduser().absolute(),
        client=given.client.absolute(),
        corral=given.corral.absolute(),
        image=None if given.image is None else given.image.expanduser().absolute(),
        next_image=None if given.next_image is None else given.next_image.expanduser().absolute(),
        guest=not given.no_guest,
        keep=given.keep,
    )


def run(wishes: Wishes) -> int:
    """Run the demonstration; the exit code."""
    display = Display()
    logs = wishes.build / "demo"
    try:
        _prepare(wishes, logs)
    except DemoError as error:
        display.failure(str(error))
        return 1
    programs = Programs(logs, may_outlive_us=wishes.keep)
    report = Report(guest=wishes.guest, image=str(wishes.image or "built from Debian packages"))
    story = Story(wishes, display, Runner(logs, display), programs, report)

    def end() -> None:
        story.close()
        if wishes.keep and not report.failed_step:
            story.say_how_to_play(programs.leave_running())
        else:
            programs.stop_all()
        report.write(wishes.build / "demo-result.json")

    code = tell(story.tell, end, report, display)
    _summary(display, report)
    display.fact(f"result: {wishes.build / 'demo-result.json'}; logs: {logs}")
    return code


def _prepare(wishes: Wishes, logs: Path) -> None:
    programs = {wishes.client: "target", wishes.corral: "native"}
    prepare(programs, logs, (*logs.glob("*.initrd"), wishes.build / "demo-result.json"))


def _summary(display: Display, report: Report) -> None:
    rows = []
    for step in report.steps:
        size = (
            step.facts.get("fetched_bytes")
            or step.facts.get("bytes")
            or step.facts.get("first_pass_bytes")
        )
        moved = mebibytes(size) if isinstance(size, int) else ""
        rows.append((step.name, f"{step.seconds:.1f}", moved, "done" if step.ok else "FAILED"))
    display.table("Summary", ("step", "seconds", "bytes", ""), rows)
    stall = "-" if report.longest_stall_ms is None else f"{report.longest_stall_ms:.0f} ms"
    display.fact(
        f"I/O errors: {report.io_errors}; longest stall when the server died: {stall}; "
        f"version {report.version_before or '-'} → {report.version_after or '-'}"
    )


if __name__ == "__main__":
    sys.exit(run(parse(sys.argv[1:])))
