"""``corral schema``."""

from typing import TYPE_CHECKING, Annotated

import typer

from corral.farm.entrypoints.cli import opening, schema_documents
from corral.farm.entrypoints.cli.group import command_group
from corral.farm.entrypoints.cli.opening import FarmOption, JsonOption
from corral.farm.entrypoints.cli.output import print_facts, print_json, print_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from corral.farm.application.change_schema import ChangedSchema
    from corral.farm.application.show_schema import SchemaView
    from corral.farm.domain.upgrade.schema import SchemaStep

commands = command_group("The schema of the farm's database, which two releases share for a while.")


@commands.command("show", epilog="Example: corral schema show --json")
def show_schema(
    context: typer.Context, *, farm: FarmOption = None, as_json: JsonOption = False
) -> None:
    """Show which steps the schema has taken, which it has not, and who may work on it.

    Looks at the database whether this release can work on it or not.
    """
    found = opening.opened_schema(context, farm).show_schema()
    if as_json:
        print_json(schema_documents.shown(found))
        return
    seen = found.seen
    facts = [
        ("schema", f"{found.standing}, at step {seen.revision or 'none'}"),
        (
            "release",
            f"{found.release} needs step {found.own.needs} and knows up to {found.own.head}",
        ),
        ("worked on by", _readers(found)),
        ("commands", f"of release {seen.oldest_console} and newer" if seen.oldest_console else ""),
        ("damage", seen.damage or ""),
        *(("to " + one.half, f"{one.revision} {_words(one)}") for one in found.pending),
        *(
            ("other release", f"{one.server}: {one.release or 'never seen'}")
            for one in found.of_other_releases
        ),
    ]
    print_facts([fact for fact in facts if fact[1]])


@commands.command("expand", epilog="Example: corral schema expand")
def expand_schema(
    context: typer.Context, *, farm: FarmOption = None, as_json: JsonOption = False
) -> None:
    """Add to the schema what this release needs; the release before goes on working on it.

    A local act, of a machine from which the database can be reached. Can be tried again at any
    time, and beside a farm that works.
    """
    done = opening.opened_schema(context, farm).expand_schema()
    _say(done, "expanded", as_json=as_json)


@commands.command("contract", epilog="Example: corral schema contract --yes")
def contract_schema(
    context: typer.Context,
    *,
    yes: Annotated[
        bool,
        typer.Option("--yes", "-y", help="Nobody needs the older release.", show_default=False),
    ] = False,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take from the schema what only older releases need, and close it to them.

    The way back is closed with it. A local act, of a machine from which the database can be
    reached. Without --yes it is refused, and names every server that was last seen at another
    release; an upgrade that is finalised does it by itself, when it is safe.
    """
    done = opening.opened_schema(context, farm).contract_schema(is_agreed=yes)
    _say(done, "contracted", as_json=as_json)


@commands.command("read", epilog="Example: corral schema read --farm /tmp/scratch/farm")
def read_records(
    context: typer.Context, *, farm: FarmOption = None, as_json: JsonOption = False
) -> None:
    """Read every record with the code of this release, and change nothing.

    A release is asked to do so on a scratch farm before it is upgraded to: 'corral backup verify
    --by KIT-FILE' has it done.
    """
    done = opening.opened(context, farm).read_records()
    if as_json:
        print_json(schema_documents.read(done))
        return
    rows = sum(done.rows.values())
    print_line(f"read {rows} rows of {len(done.rows)} tables, which are {done.things} things")


@commands.command(
    "script", epilog="Example: corral schema script --from 0031 --to 0032 --dialect postgresql"
)
def print_script(
    *,
    first: Annotated[
        str, typer.Option("--from", metavar="STEP", help="Where the database is now.")
    ],
    last: Annotated[str, typer.Option("--to", metavar="STEP", help="Where it shall be.")],
    dialect: Annotated[
        str, typer.Option("--dialect", metavar="KIND", help="postgresql or sqlite.")
    ],
    as_json: JsonOption = False,
) -> None:
    """Print the script of steps, for a database administrator; touches no database.

    The script does nothing where the last step was taken already, and refuses a database that is
    at any other than the first.
    """
    from corral.farm.bootstrap import schema_script  # noqa: PLC0415 - not for `--help`

    text = schema_script(first, last, dialect)
    if as_json:
        print_json({"from": first, "to": last, "dialect": dialect, "script": text})
        return
    print_line(text.rstrip("\n"))


def _say(done: "ChangedSchema", what: str, *, as_json: bool) -> None:
    if as_json:
        print_json(schema_documents.changed(done))
        return
    if not done.steps:
        print_line(f"nothing to do: the schema is at step {done.seen.revision}")
        return
    print_line(f"{what} to step {done.seen.revision}: {_named(done.steps)}")


def _named(steps: "Sequence[SchemaStep]") -> str:
    return ", ".join(f"{one.revision} ({_words(one)})" for one in steps)


def _words(step: "SchemaStep") -> str:
    return step.what.replace("_", " ")


def _readers(found: "SchemaView") -> str:
    if found.seen.revision is None or found.seen.damage is not None:
        return ""
    if found.seen.readable_from is None:
        return f"releases whose last step is {found.seen.revision}"
    return f"releases whose last step is {found.seen.readable_from} or later"
