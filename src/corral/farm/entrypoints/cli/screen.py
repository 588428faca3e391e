"""The farm on one screen, drawn anew each second."""

from __future__ import annotations

import threading
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from corral.farm.domain.check.finding import Severity
from corral.farm.domain.errors import DomainError
from corral.farm.domain.estate.errors import FarmDatabaseUnreachableError
from corral.farm.entrypoints.cli import task_amounts
from corral.farm.entrypoints.cli.output import human_size, human_time

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from rich.console import RenderableType

    from corral.farm.application.show_replication import CopyView
    from corral.farm.application.show_status import FarmStatus, ServerLine
    from corral.farm.application.verbs import Application
    from corral.farm.domain.estate.server import ServerId

_LOOK_SECONDS: Final = 1.0
_LOOKS_FOR_A_CHECK: Final = 15
_MOST_STREAMS: Final = 15
_MOST_SERVERS: Final = 8
_MOST_WARNINGS: Final = 5
_MOST_LINES: Final = 8

_STATES: Final[Mapping[str, str]] = {
    "online": "green",
    "unknown": "red",
    "copying": "yellow",
    "damaged": "red",
    "missing": "yellow",
    "unreachable": "red",
}


def watch_farm(application: Application, logins: Callable[[], str]) -> None:
    """Draw the farm until it is interrupted; a database that is away is said on the screen.

    ``logins`` says what devices start from meanwhile.
    """
    screen = FarmScreen(application, logins)
    pause = threading.Event()
    # Ctrl-C is how it ends, and no failure.
    with (
        suppress(KeyboardInterrupt),
        Live(screen.drawn(), refresh_per_second=4, screen=True) as live,
    ):
        while not pause.wait(_LOOK_SECONDS):
            live.update(screen.drawn())


class FarmScreen:
    """What is drawn, with what must be remembered from one time to the next."""

    def __init__(self, application: Application, logins: Callable[[], str]) -> None:
        self._application = application
        self._logins = logins
        self._sent: dict[ServerId, tuple[datetime, int]] = {}
        self._rates: dict[ServerId, float] = {}
        self._looks = 0
        self._findings: Sequence[tuple[str, str, str]] = ()
        self._last: RenderableType = Text("")

    def drawn(self) -> RenderableType:
        """Look at the farm, and give what is to be seen."""
        try:
            self._last = self._looked()
        except DomainError as error:
            said = Text(f"{error.message} ({error.code})", style="red")
            if isinstance(error, FarmDatabaseUnreachableError):
                return Group(said, Text(self._logins(), style="yellow"), self._last)
            return Group(said, self._last)
        return self._last

    def _looked(self) -> RenderableType:
        status = self._application.show_status()
        copies = self._application.show_replication()
        tasks = [view for view in self._application.list_tasks() if view.task.state.is_active]
        # The check looks at everything there is: not each second.
        if self._looks % _LOOKS_FOR_A_CHECK == 0:
            self._findings = [
                (one.kind.severity.value, one.thing, one.message)
                for one in self._application.check_farm().findings
                if one.kind.severity is not Severity.NOTICE
            ]
        self._looks += 1
        # What a low terminal cuts off is at the bottom: streams, of which there may be most.
        parts: list[RenderableType] = [_headline(status), *self._warnings(status)]
        parts.append(self._servers(status))
        parts.append(_replication(copies))
        if tasks:
            table = _table("TASK", "WHAT", "STATE", ">DONE", ">RATE")
            for view in tasks[:_MOST_LINES]:
                task = view.task
                table.add_row(
                    f"{task.number} {task.request.kind.value}",
                    task.request.object,
                    task.state.value,
                    task_amounts.done(task),
                    task_amounts.pace(task),
                )
            parts.append(table)
            if len(tasks) > _MOST_LINES:
                parts.append(Text(f"… and {len(tasks) - _MOST_LINES} more: corral task list"))
        return Group(*parts, _streams(status))

    def _warnings(self, status: FarmStatus) -> list[RenderableType]:
        parts: list[RenderableType] = []
        warnings = [(w.device.name, w.warning) for w in status.warnings]
        lines = [(one, f"{thing}: {said}") for one, thing, said in self._findings]
        lines += [("warning", f"device {name}: {said}") for name, said in warnings]
        for severity, said in lines[:_MOST_WARNINGS]:
            style = "red" if severity == "error" else "yellow"
            parts.append(
                Text(f"{severity}: {said}", style=style, no_wrap=True, overflow="ellipsis")
            )
        if len(lines) > _MOST_WARNINGS:
            parts.append(Text(f"… and {len(lines) - _MOST_WARNINGS} more: corral farm check"))
        return parts

    def _servers(self, status: FarmStatus) -> RenderableType:
        table = _table(
            "SERVER", "STATE", ">STREAMS", ">SENDING", ">STALLED", ">FAILED", "LAST REPORT"
        )
        shown = sorted(status.servers, key=lambda line: line.state == "online")
        for line in shown[:_MOST_SERVERS]:
            report = line.server.last_report
            counters = {} if report is None else report.counters
            state = f"{line.state}, draining" if line.server.draining else str(line.state)
            table.add_row(
                line.server.name,
                Text(state, style=_STATES.get(line.state.value, "")),
                str(line.session_count),
                f"{human_size(self._rate(line))}/s",
                str(counters.get("stalled", 0)),
                str(counters.get("failed_requests", 0)),
                human_time(None if report is None else report.at),
            )
        more = len(shown) - _MOST_SERVERS
        return Group(table, Text(f"… and {more} more: corral server list")) if more > 0 else table

    def _rate(self, line: ServerLine) -> float:
        """Bytes a second between the last two reports that differ."""
        report = line.server.last_report
        if report is None:
            return 0.0
        sent = report.counters.get("bytes", 0)
        before = self._sent.get(line.server.id)
        if before is None or report.at != before[0]:
            self._sent[line.server.id] = (report.at, sent)
            if before is not None and sent >= before[1]:
                seconds = (report.at - before[0]).total_seconds()
                self._rates[line.server.id] = (sent - before[1]) / max(seconds, 0.001)
        return self._rates.get(line.server.id, 0.0)


def _headline(status: FarmStatus) -> Text:
    online = sum(line.state == "online" for line in status.servers)
    return Text(
        f"{status.farm.name}: {online} of {len(status.servers)} servers online,"
        f" {status.streaming_count} of {status.device_count} devices stream; Ctrl-C ends this",
        style="bold",
    )


def _streams(status: FarmStatus) -> RenderableType:
    if not status.sessions:
        return Text("nobody streams anything")
    table = _table("DEVICE", "VERSION", "SERVER", "FROM", ">SENT")
    busiest = sorted(status.sessions, key=lambda view: -view.session.sent_bytes)
    for view in busiest[:_MOST_STREAMS]:
        table.add_row(
            "-" if view.device is None else view.device.name,
            view.session.export,
            view.server.name,
            view.session.address,
            human_size(view.session.sent_bytes),
        )
    more = len(busiest) - _MOST_STREAMS
    return Group(table, Text(f"… and {more} more: corral session list")) if more > 0 else table


def _replication(copies: Sequence[CopyView]) -> RenderableType:
    open_ones = [view for view in copies if not view.state.is_settled]
    counts = Counter(view.state.value for view in copies)
    said = ", ".join(f"{count} {state}" for state, count in sorted(counts.items()))
    line = Text(f"replication: {said or 'nothing to hold'}")
    if not open_ones:
        return line
    table = _table("VERSION", "SERVER", "STATE", ">LEFT", ">TIME LEFT")
    for view in open_ones[:_MOST_LINES]:
        table.add_row(
            str(view.version.name),
            view.server.name,
            Text(f"{view.state.value} {view.percent} %", style=_STATES.get(view.state.value, "")),
            human_size(view.left_bytes),
            "" if view.time_left is None else str(view.time_left),
        )
    return Group(line, table)


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in columns:
        is_number = name.startswith(">")
        table.add_column(name.removeprefix(">"), justify="right" if is_number else "left")
    return table
