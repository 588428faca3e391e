"""``corral status``."""

import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from corral.farm.entrypoints.cli import documents, opening
from corral.farm.entrypoints.cli.opening import FarmOption, JsonOption
from corral.farm.entrypoints.cli.output import (
    human_size,
    human_time,
    print_facts,
    print_json,
    print_line,
    print_table,
)
from corral.farm.entrypoints.cli.ways_out import print_ways_out

if TYPE_CHECKING:
    from corral.farm.application.show_status import ServerLine, SessionView


commands = typer.Typer(add_completion=False)


@commands.command("status", epilog="Example: corral status")
def show_status(
    context: typer.Context,
    *,
    watch: Annotated[
        bool, typer.Option("--watch", help="The whole farm on one screen, until Ctrl-C.")
    ] = False,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show servers, who streams what, replication, tasks, and what to look at.

    Without the database it says how old what devices start from is.
    """
    from corral.farm.domain.estate.errors import FarmDatabaseUnreachableError  # noqa: PLC0415

    try:
        _show_status(context, watch=watch, farm=farm, as_json=as_json)
    except FarmDatabaseUnreachableError:
        from corral.farm.entrypoints.cli.logins import logins_line  # noqa: PLC0415 - dear

        if not as_json:
            sys.stderr.write(logins_line(opening.settings_of(context, farm)) + "\n")
        raise


def _show_status(context: typer.Context, *, watch: bool, farm: Path | None, as_json: bool) -> None:
    application = opening.opened(context, farm)
    if watch and not as_json:
        from corral.farm.entrypoints.cli.logins import logins_line  # noqa: PLC0415 - dear
        from corral.farm.entrypoints.cli.screen import watch_farm  # noqa: PLC0415 - dear

        settings = opening.settings_of(context, farm)
        watch_farm(application, lambda: logins_line(settings))
        return
    status = application.show_status()
    copies = Counter(view.state.value for view in application.show_replication())
    tasks = [view for view in application.list_tasks(ended=0) if view.task.state.is_active]
    if as_json:
        print_json(documents.farm_status(status, copies, tasks))
        return
    if status.observing is not None:
        print_line(f"{status.observing}: 'corral farm difference', then 'corral farm accept'")
    print_table(
        "Servers",
        ("SERVER", "STATE", ">SESSIONS", ">STALLED", ">FAILED", "LAST REPORT"),
        (_server_row(line) for line in status.servers),
        empty="no servers yet: corral server add",
    )
    print_table(
        "Sessions",
        ("DEVICE", "VERSION", "SERVER", "FROM", "SINCE", ">SENT"),
        (_session_row(view) for view in status.sessions),
        empty="nobody streams anything",
    )
    print_facts(
        [
            ("devices", f"{status.streaming_count} of {status.device_count} stream"),
            ("replication", _counted(copies) or "nothing to hold"),
            ("tasks", _counted(Counter(view.task.state.value for view in tasks)) or "none"),
        ]
    )
    if status.pending:
        print_table(
            "Versions that wait for their release",
            ("VERSION", "WAITS FOR"),
            ((str(one.version.name), str(one.wait)) for one in status.pending),
            empty="",
        )
        if any(one.wait.silent for one in status.pending):
            print_ways_out()
    if status.warnings:
        print_table(
            "Devices to look at",
            ("DEVICE", "IMAGE", "WARNING"),
            ((view.device.name, view.image or "-", view.warning) for view in status.warnings),
            empty="",
        )


def _counted(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {state}" for state, count in sorted(counts.items()))


def _server_row(line: "ServerLine") -> tuple[str, ...]:
    report = line.server.last_report
    counters = {} if report is None else report.counters
    return (
        line.server.name,
        f"{line.state}, draining" if line.server.draining else str(line.state),
        str(line.session_count),
        str(counters.get("stalled", 0)),
        str(counters.get("failed_requests", 0)),
        human_time(None if report is None else report.at),
    )


def _session_row(view: "SessionView") -> tuple[str, ...]:
    session = view.session
    known = view.server_state == "online"
    return (
        "-" if view.device is None else view.device.name,
        session.export,
        view.server.name if known else f"{view.server.name} (last known)",
        session.address,
        human_time(session.connected_at),
        human_size(session.sent_bytes),
    )
