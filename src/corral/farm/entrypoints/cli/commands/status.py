"""``corral status``."""

from typing import TYPE_CHECKING, Annotated

import typer

from corral.farm.entrypoints.cli import documents, opening
from corral.farm.entrypoints.cli.opening import FarmOption, JsonOption
from corral.farm.entrypoints.cli.output import human_size, human_time, print_json, print_table

if TYPE_CHECKING:
    from corral.farm.application.show_status import ServerLine, SessionView


def show_status(
    context: typer.Context,
    *,
    watch: Annotated[
        bool, typer.Option("--watch", help="The whole farm on one screen, until Ctrl-C.")
    ] = False,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show who streams what."""
    application = opening.opened(context, farm)
    if watch and not as_json:
        from corral.farm.entrypoints.cli.screen import watch_farm  # noqa: PLC0415 - dear

        watch_farm(application)
        return
    status = application.show_status()
    if as_json:
        print_json(documents.farm_status(status))
        return
    print_table(
        "Servers",
        ("SERVER", "STATE", ">SESSIONS", "LAST REPORT"),
        (_server_row(line) for line in status.servers),
        empty="no servers yet: corral server add",
    )
    print_table(
        "Sessions",
        ("DEVICE", "VERSION", "SERVER", "FROM", "SINCE", ">SENT"),
        (_session_row(view) for view in status.sessions),
        empty="nobody streams anything",
    )
    if status.warnings:
        print_table(
            "Devices to look at",
            ("DEVICE", "IMAGE", "WARNING"),
            ((view.device.name, view.image or "-", view.warning) for view in status.warnings),
            empty="",
        )


def _server_row(line: "ServerLine") -> tuple[str, ...]:
    report = line.server.last_report
    return (
        line.server.name,
        f"{line.state}, draining" if line.server.draining else str(line.state),
        str(line.session_count),
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
