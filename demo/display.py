"""What the person at the terminal sees: steps, what is going on now, and facts that stay."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.status import Status

_QUIET_SECONDS: Final = 5.0


@dataclass
class Display:
    """Writes to a terminal with a spinner, and to anything else one line at a time."""

    console: Console = field(default_factory=lambda: Console(highlight=False))
    _status: Status | None = None
    _since: float = 0.0
    _told_at: float = 0.0

    def step(self, number: int, of: int, title: str) -> None:
        """Begin a step."""
        self.doing("")
        self.console.print(f"\n[bold cyan]\\[{number}/{of}][/] [bold]{escape(title)}[/]")

    def fact(self, text: str) -> None:
        """Something that was found out and stays on the screen."""
        self.console.print(f"      {escape(text)}", soft_wrap=True)

    def doing(self, what: str) -> None:
        """Say what is going on right now; an empty text ends it."""
        now = time.monotonic()
        if not what:
            if self._status is not None:
                self._status.stop()
            self._status, self._since = None, 0.0
            return
        if not self._since:
            self._since = self._told_at = now
        text = f"{what} ({now - self._since:.0f} s)"
        if self.console.is_terminal:
            if self._status is None:
                self._status = self.console.status("", spinner="dots")
                self._status.start()
            self._status.update(f"      {escape(text)}"[: self.console.width - 4])
        elif now - self._told_at > _QUIET_SECONDS:
            # In a log file a line every few seconds says that it goes on.
            self._told_at = now
            self.console.print(f"      … {escape(text)}", soft_wrap=True)

    def failure(self, text: str) -> None:
        """Say why the demonstration cannot go on."""
        self.doing("")
        self.console.print(f"\n[bold red]FAILED[/] {escape(text)}", soft_wrap=True)

    def table(self, title: str, columns: Iterable[str], rows: Iterable[Iterable[str]]) -> None:
        """Draw a table; numbers are right-aligned but in the first column."""
        table = Table(title=title, title_justify="left", title_style="bold")
        for number, column in enumerate(columns):
            table.add_column(column, justify="left" if number == 0 else "right")
        for row in rows:
            table.add_row(*(escape(cell) for cell in row))
        self.console.print()
        self.console.print(table)


def mebibytes(count: int) -> str:
    """``3145728`` → ``3.0 MiB``; what is less than one is given in KiB."""
    return f"{count / 2**20:,.1f} MiB" if count >= 2**20 else f"{count / 2**10:,.1f} KiB"
