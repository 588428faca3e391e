"""``corral task limit``."""

from datetime import timedelta
from typing import Annotated

import typer

from corral.farm.entrypoints.cli import opening, task_documents
from corral.farm.entrypoints.cli.edits import RevisionOption
from corral.farm.entrypoints.cli.opening import FarmOption, JsonOption
from corral.farm.entrypoints.cli.output import print_facts, print_json

commands = typer.Typer()
"""They stand among those of :mod:`.task`."""


@commands.command("limit", epilog="Example: corral task limit --kind verify=4 --per-server 5")
def limit_tasks(  # noqa: PLR0913 - one for each rule
    context: typer.Context,
    *,
    kind: Annotated[
        list[str] | None,
        typer.Option(
            "--kind",
            metavar="KIND=N",
            help="Tasks of a kind at once in the whole farm; several.",
            show_default=False,
        ),
    ] = None,
    per_server: Annotated[
        int | None,
        typer.Option(
            "--per-server",
            metavar="N",
            help="Tasks at once that read or write the store of one server.",
            show_default=False,
        ),
    ] = None,
    per_kind_on_server: Annotated[
        int | None,
        typer.Option(
            "--per-kind-on-server",
            metavar="N",
            help="Those of one kind.",
            show_default=False,
        ),
    ] = None,
    without_server: Annotated[
        int | None,
        typer.Option(
            "--without-server",
            metavar="N",
            help="Tasks at once that are bound to no server.",
            show_default=False,
        ),
    ] = None,
    keep_days: Annotated[
        int | None,
        typer.Option(
            "--keep-days",
            metavar="DAYS",
            help="How long tasks are remembered after their end.",
            show_default=False,
        ),
    ] = None,
    revision: RevisionOption = None,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show how many tasks run at once and how long ended ones are kept, or change it."""
    from corral.farm.application.task_kinds import kind_named  # noqa: PLC0415 - not for `--help`
    from corral.farm.domain.task.rules import TaskRulesWish  # noqa: PLC0415

    wish = TaskRulesWish(
        of_kind={kind_named(name): number for name, number in map(_read, kind or ())},
        of_server=per_server,
        of_kind_on_server=per_kind_on_server,
        of_farm=without_server,
        kept_for=None if keep_days is None else timedelta(days=keep_days),
    )
    application = opening.opened(context, farm)
    if wish == TaskRulesWish():
        rules = application.show_task_rules()
    else:
        rules = application.set_task_rules(wish, revision)
    if as_json:
        print_json(task_documents.rules(rules))
        return
    limits = rules.limits
    print_facts(
        [
            *((f"{kind} in the farm", str(number)) for kind, number in limits.of_kind.items()),
            ("on one server", str(limits.of_server)),
            ("of one kind on it", str(limits.of_kind_on_server)),
            ("without a server", str(limits.of_farm)),
            ("kept after the end", f"{rules.kept_for.days} days"),
            ("revision", str(rules.revision)),
        ]
    )


def _read(text: str) -> tuple[str, int]:
    name, _, number = text.partition("=")
    if not number.isascii() or not number.isdecimal():
        message = f"{text!r} is no limit: write KIND=N, such as verify=4"
        raise typer.BadParameter(message)
    return name, int(number)
