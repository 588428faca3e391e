"""What every demonstration does around its story: look for what it needs, and end what it began."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Protocol

from demo.errors import DemoError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path
    from types import FrameType

    from demo.display import Display


class Failing(Protocol):
    """A report that knows in which step a story ended too early."""

    @property
    def failed_step(self) -> str | None:
        """Name it."""


def prepare(programs: Mapping[Path, str], logs: Path, old: Iterable[Path]) -> None:
    """Fail if a program is not there, with what makes it; take away what the last run has left."""
    for program, target in programs.items():
        if not program.is_file():
            message = (
                f"{program} is not there: run `make {target}` (or `make setup` for everything)"
            )
            raise DemoError(message)
    logs.mkdir(parents=True, exist_ok=True)
    for one in (*logs.glob("*.log"), *old):
        one.unlink(missing_ok=True)


def tell(
    story: Callable[[], None], end: Callable[[], None], report: Failing, display: Display
) -> int:
    """Tell a story and, whatever becomes of it, end what it has started; give the exit code."""
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        story()
    except DemoError as error:
        display.failure(f"in step “{report.failed_step}”: {error}")
        return 1
    except KeyboardInterrupt:
        display.failure(f"interrupted in step “{report.failed_step}”")
        return 130
    finally:
        # A second Ctrl-C must not prevent that.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        display.doing("ending what was started")
        end()
        display.doing("")
    return 0


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
