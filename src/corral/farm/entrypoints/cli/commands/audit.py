"""``corral audit``."""

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Final

import typer

from corral.farm.domain.access.actor import ActorKind
from corral.farm.entrypoints.cli import access_documents, opening
from corral.farm.entrypoints.cli.group import command_group
from corral.farm.entrypoints.cli.opening import FarmOption, JsonOption
from corral.farm.entrypoints.cli.output import human_time, print_json, print_line, print_table

if TYPE_CHECKING:
    from corral.farm.domain.access.audit import Facts, NotedEntry

_MOST_SHOWN: Final = 80

commands = command_group("The audit log: what was changed, by whom and from where.")


@commands.command("list", epilog="Example: corral audit list --what server --actor ada")
def list_audit(  # noqa: PLR0913 - one for each filter
    context: typer.Context,
    *,
    what: Annotated[
        str | None,
        typer.Option(
            "--what", metavar="WHAT", help="A noun, or server.change.", show_default=False
        ),
    ] = None,
    thing: Annotated[
        str | None,
        typer.Option("--thing", metavar="NAME", help="What was changed.", show_default=False),
    ] = None,
    actor: Annotated[
        str | None,
        typer.Option("--actor", metavar="NAME", help="Who changed it.", show_default=False),
    ] = None,
    actor_kind: Annotated[
        ActorKind | None,
        typer.Option("--actor-kind", help="What kind of somebody.", show_default=False),
    ] = None,
    where: Annotated[
        str | None,
        typer.Option("--where", metavar="ADDRESS", help="From where.", show_default=False),
    ] = None,
    since: Annotated[
        datetime | None,
        typer.Option("--since", metavar="TIME", help="From this moment on.", show_default=False),
    ] = None,
    until: Annotated[
        datetime | None,
        typer.Option("--until", metavar="TIME", help="Before this moment.", show_default=False),
    ] = None,
    limit: Annotated[
        int, typer.Option("--limit", metavar="N", min=1, max=1000, help="At most so many.")
    ] = 50,
    before: Annotated[
        int | None,
        typer.Option(
            "--before", metavar="N", min=1, help="Only numbers under this.", show_default=False
        ),
    ] = None,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """List changes, the newest first; moments are this machine's own time.

    On a terminal long lists of facts are cut; --json and a pipe give all of them.
    """
    from corral.farm.domain.access.audit import AuditFilter  # noqa: PLC0415 - not for `--help`

    wanted = AuditFilter(
        since=_in_utc(since),
        until=_in_utc(until),
        kind=actor_kind,
        name=actor,
        where=where,
        what=what,
        thing=thing,
    )
    found = opening.opened(context, farm).list_audit(wanted, limit, before)
    last = found[-1].number if len(found) == limit else None
    if as_json:
        print_json({"entries": [access_documents.entry(one) for one in found], "next": last})
        return
    print_table(
        "",
        (">NUMBER", "AT", "WHO", "FROM", "WHAT", "THING", "BEFORE", "AFTER"),
        map(_row, found),
        empty="nothing of that kind was changed",
    )
    if last is not None:
        print_line(f"older ones: --before {last}")


def _row(noted: "NotedEntry") -> tuple[str, ...]:
    entry = noted.entry
    return (
        str(noted.number),
        human_time(entry.at),
        str(entry.actor),
        entry.actor.where,
        entry.what,
        entry.thing,
        _text(entry.before),
        _text(entry.after),
    )


def _text(facts: "Facts | None") -> str:
    if facts is None:
        return ""
    text = ", ".join(f"{key}={value}" for key, value in facts.items())
    # A person looks for who and what; a program, or a pipe, gets all of it.
    is_cut = sys.stdout.isatty() and len(text) > _MOST_SHOWN
    return f"{text[:_MOST_SHOWN]}…" if is_cut else text


def _in_utc(moment: datetime | None) -> datetime | None:
    # What people type has no zone: it is this machine's.
    return None if moment is None else moment.astimezone(UTC)
