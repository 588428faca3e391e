"""``corral backup``."""

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from corral.farm.entrypoints.cli import backup_documents, opening, secrets
from corral.farm.entrypoints.cli.group import command_group
from corral.farm.entrypoints.cli.opening import FarmOption, JsonOption
from corral.farm.entrypoints.cli.output import (
    human_size,
    human_time,
    print_facts,
    print_json,
    print_line,
    print_table,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from corral.farm.application.list_backups import BackupView
    from corral.farm.application.ports.backups import BackupKey
    from corral.farm.application.verbs import Application

commands = command_group("Backups of the farm: its database, its keys, and if wanted its chunks.")

FileArgument = Annotated[
    Path | None,
    typer.Argument(
        help="File of the backup; the farm's newest if it is not said.",
        metavar="FILE",
        show_default=False,
    ),
]
KeyOption = Annotated[
    Path,
    typer.Option("--key", metavar="FILE", help="Key of backups, which must be yours alone."),
]
PassphraseFileOption = Annotated[
    Path | None,
    typer.Option(
        "--passphrase-file",
        metavar="FILE",
        help="Passphrase of the key, if it has one; asked for otherwise. - is the standard input.",
        show_default=False,
    ),
]
RecipientOption = Annotated[
    list[str] | None,
    typer.Option(
        "--recipient",
        metavar="RECIPIENT",
        help="Who can open it: age1…, as 'corral backup key' prints it; several times for several.",
        show_default=False,
    ),
]


@commands.command("key", epilog="Example: corral backup key /media/safe/farm-backup.key")
def make_key(
    file: Annotated[Path, typer.Argument(help="Where the key goes.", metavar="FILE")],
    *,
    ask: Annotated[
        bool,
        typer.Option(
            "--ask", help="Keep it under a passphrase, asked for now.", show_default=False
        ),
    ] = False,
    passphrase_file: PassphraseFileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a key that opens backups, and print its recipient, which only makes them.

    Keep the key away from the farm's machines: they need the recipient alone. Without the key no
    backup can be restored. It is one of the program age, which reads and writes such files, too.
    """
    from corral.farm.adapters.backup_files.keys import make_key  # noqa: PLC0415 - not for `--help`

    passphrase = None
    if passphrase_file is not None:
        passphrase = secrets.first_line(passphrase_file)
    elif ask:
        passphrase = secrets.typed("Passphrase", is_new=True)
    recipient = make_key(file, passphrase)
    if as_json:
        print_json({"key_file": str(file), "recipient": recipient})
        return
    print_facts(
        [
            ("key", f"{file} (keep it safe, and not on the farm's machines)"),
            ("recipient", recipient),
            ("next", f"corral backup set --to DIR --recipient {recipient}"),
        ]
    )


@commands.command(
    "set", epilog="Example: corral backup set --to /srv/backups --recipient age1… --daily 7"
)
def set_backups(  # noqa: PLR0913 - one for each rule
    context: typer.Context,
    *,
    to: Annotated[
        Path | None,
        typer.Option("--to", metavar="DIR", help="Where they go.", show_default=False),
    ] = None,
    recipient: RecipientOption = None,
    with_chunks: Annotated[
        bool | None,
        typer.Option(
            "--with-chunks/--without-chunks",
            help="Whether the chunks of every version are copied as well.",
            show_default=False,
        ),
    ] = None,
    daily: Annotated[
        int | None, typer.Option("--daily", metavar="N", help="Days to keep.", show_default=False)
    ] = None,
    weekly: Annotated[
        int | None, typer.Option("--weekly", metavar="N", help="Weeks to keep.", show_default=False)
    ] = None,
    monthly: Annotated[
        int | None,
        typer.Option("--monthly", metavar="N", help="Months to keep.", show_default=False),
    ] = None,
    warn_after: Annotated[
        int | None,
        typer.Option(
            "--warn-after",
            metavar="DAYS",
            help="Age of the newest at which 'corral farm check' warns.",
            show_default=False,
        ),
    ] = None,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show where backups go, who can open them and how many are kept, or change it."""
    from corral.farm.application.set_backups import BackupRulesWish  # noqa: PLC0415
    from corral.farm.domain.backup.backup import Recipient  # noqa: PLC0415

    wish = BackupRulesWish(
        folder=to,
        recipients=None if recipient is None else tuple(map(Recipient, recipient)),
        with_chunks=with_chunks,
        daily=daily,
        weekly=weekly,
        monthly=monthly,
        too_old_days=warn_after,
    )
    rules = opening.opened(context, farm).set_backups(wish)
    if as_json:
        print_json(backup_documents.rules(rules))
        return
    kept = rules.retention
    print_facts(
        [
            ("to", "nowhere yet" if rules.folder is None else str(rules.folder)),
            ("for", " ".join(rules.recipients) or "nobody yet"),
            ("chunks", "copied" if rules.with_chunks else "by reference only"),
            ("kept", f"{kept.daily} days, {kept.weekly} weeks, {kept.monthly} months"),
            ("warn after", f"{rules.too_old_days} days"),
        ]
    )


@commands.command("create", epilog="Example: corral backup create")
def create_backup(  # noqa: PLR0913 - one for each option of the command
    context: typer.Context,
    *,
    to: Annotated[
        Path | None,
        typer.Option("--to", metavar="DIR", help="Where it goes this time.", show_default=False),
    ] = None,
    recipient: RecipientOption = None,
    with_chunks: Annotated[
        bool,
        typer.Option(
            "--with-chunks",
            help="Copy the chunks of every version as well; the servers must be running.",
            show_default=False,
        ),
    ] = False,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Back the farm up while it is in use, and roll old backups up."""
    from corral.farm.application.create_backup import BackupWish  # noqa: PLC0415
    from corral.farm.application.farm_tasks import tell_backup  # noqa: PLC0415
    from corral.farm.domain.backup.backup import Recipient  # noqa: PLC0415
    from corral.farm.entrypoints.cli.recorded import run_recorded  # noqa: PLC0415

    wish = BackupWish(
        folder=None if to is None else to.absolute(),
        recipients=tuple(map(Recipient, recipient or ())),
        with_chunks=with_chunks,
    )
    application = opening.opened(context, farm)
    application.create_backup.prepare(wish)
    created = run_recorded(
        application,
        "backup",
        {"with_chunks": with_chunks},
        lambda progress: application.create_backup(wish, progress),
        title="backup",
        says=tell_backup,
        is_quiet=as_json,
    )
    if as_json:
        print_json(backup_documents.created(created))
        return
    backup = created.backup
    print_line(f"backed up to {backup.path}, {human_size(backup.size_bytes)}")
    if created.copied_versions:
        print_line(f"the chunks of {created.copied_versions} versions are in {backup.path.parent}")
    for one in created.rolled_up:
        print_line(f"rolled up: {one.name}")


@commands.command("list", epilog="Example: corral backup list")
def list_backups(
    context: typer.Context,
    folder: Annotated[
        Path | None,
        typer.Argument(
            help="Look at the files of this folder, where no farm is needed.",
            metavar="DIR",
            show_default=False,
        ),
    ] = None,
    *,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the backups of the farm, newest first, or those of a folder; no key is needed."""
    if folder is not None:
        from corral.farm.bootstrap import backups_in  # noqa: PLC0415 - not for `--help`

        views = backups_in(folder)
        if as_json:
            print_json({"backups": [backup_documents.view(one) for one in views]})
            return
    else:
        found = opening.opened(context, farm).list_backups()
        views = found.backups
        if as_json:
            print_json(backup_documents.listed(found))
            return
        if found.folder_problem:
            print_line(found.folder_problem)
    print_table(
        "",
        ("BACKUP", "TAKEN", ">AGE", ">SIZE", "RELEASE", "CHUNKS", "VERIFIED", "READ BY", "PROBLEM"),
        map(_row, views),
        empty="no backups",
    )


def _row(of: "BackupView") -> tuple[str, ...]:
    backup, file = of.backup, of.file
    facts = None if file is None else file.facts
    release = backup.release if backup is not None else ("-" if facts is None else facts.release)
    has_chunks = backup.has_chunks if backup is not None else bool(facts and facts.has_chunks)
    size = backup.size_bytes if backup is not None else (0 if file is None else file.size_bytes)
    taken = of.taken_at
    verified = "not known here" if backup is None else human_time(backup.verified_at)
    return (
        of.path.name,
        "-" if taken is None else human_time(taken),
        "-" if taken is None else _age((of.at - taken).total_seconds()),
        human_size(size),
        release,
        "copied" if has_chunks else "-",
        verified,
        "-" if backup is None else backup.read_by or "-",
        of.problem,
    )


def _age(seconds: float) -> str:
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:.0f} {unit}"
    return f"{max(0.0, seconds):.0f} s"


@commands.command(
    "verify", epilog="Example: corral backup verify --key /media/safe/farm-backup.key"
)
def verify_backup(  # noqa: PLR0913 - one for each option of the command
    context: typer.Context,
    file: FileArgument = None,
    *,
    key: KeyOption,
    by: Annotated[
        Path | None,
        typer.Option(
            "--by",
            metavar="KIT-FILE",
            help="Have the programs of this kit, too, expand and read what was restored.",
            show_default=False,
        ),
    ] = None,
    passphrase_file: PassphraseFileOption = None,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Restore a backup to a scratch place and look whether it is a farm that works.

    Needs no farm. Where the farm that made it is at hand, it remembers that this was done. With
    --by the farm is needed, to say whose kits are believed; an upgrade to that kit's release begins
    only with a backup that it has read.
    """
    from corral.farm.bootstrap import verifying  # noqa: PLC0415 - not for `--help`
    from corral.farm.entrypoints.cli.work import run_shown  # noqa: PLC0415

    application = _opened_if_there(context, farm, is_needed=file is None or by is not None)
    path = file
    if path is None and application is not None:
        path = application.list_backups.newest()
    if path is None:
        message = "name the file"
        raise typer.BadParameter(message, param_hint="FILE")
    chosen = path.absolute()
    secret = _key(key, passphrase_file)
    verb = verifying()
    with ExitStack() as laid_out:
        reader = None
        if by is not None and application is not None:
            reader = laid_out.enter_context(application.lay_kit_out(by.absolute()))
        found = run_shown(
            f"verify {chosen.name}",
            lambda progress: verb(chosen, secret, progress, reader),
            is_quiet=as_json,
        )
    is_noted = application is not None and application.note_verified_backup(
        found.facts.id, found.read_by
    )
    if as_json:
        print_json(backup_documents.verified(found, is_noted=is_noted))
        return
    rows = sum(found.rows.values())
    print_line(
        f"sound: a farm of {rows} rows, {len(found.files)} files and {found.versions} signed"
        f" versions, as it was at {human_time(found.facts.taken_at)}"
    )
    if found.read_by:
        print_line(f"expanded and read by the programs of release {found.read_by}, too")
    for name in found.missing:
        print_line(f"missing: no store is known to hold {name} whole")
    _say_left_out(found.left_out)
    if not is_noted:
        print_line("not noted: the farm that made it is not here; --farm names it")


@commands.command(
    "restore",
    epilog="Example: corral backup restore FILE --folder /var/lib/corral --key backup.key",
)
def restore_farm(  # noqa: PLR0913 - one for each option of the command
    file: Annotated[Path, typer.Argument(help="File of the backup.", metavar="FILE")],
    *,
    folder: Annotated[
        Path,
        typer.Option("--folder", metavar="DIR", help="New or empty folder of the farm."),
    ],
    key: KeyOption,
    database: Annotated[
        str | None,
        typer.Option(
            "--database",
            metavar="URL",
            help="Empty PostgreSQL for the records: postgresql://USER@HOST[,HOST]/DATABASE,"
            " without a password.",
            show_default="SQLite in the folder",
        ),
    ] = None,
    passphrase_file: PassphraseFileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a farm of a backup, in a new folder: whole, or not at all."""
    from corral.farm.bootstrap import restoring  # noqa: PLC0415 - not for `--help`
    from corral.farm.entrypoints.cli.work import run_shown  # noqa: PLC0415
    from corral.farm.settings import FarmSettings  # noqa: PLC0415

    settings = FarmSettings.embedded(folder.absolute())
    if database is not None:
        settings = settings.with_database(database)
    verb, path, secret = restoring(settings), file.absolute(), _key(key, passphrase_file)
    done = run_shown(
        f"restore {file.name}", lambda progress: verb(path, secret, progress), is_quiet=as_json
    )
    if as_json:
        print_json(
            backup_documents.restored(done, str(settings.folder), settings.database_url),
        )
        return
    print_facts(
        [
            ("farm", f"{done.facts.farm_name}, as it was at {human_time(done.facts.taken_at)}"),
            ("folder", str(settings.folder)),
            ("database", settings.database_url),
            ("restored", f"{done.rows} rows and {done.files} files"),
            ("took", f"{done.took_seconds:.1f} s"),
            ("tasks", f"{done.open_tasks} were under way: 'corral task list --all' shows them"),
            (
                "next",
                f"start its services, then corral farm difference --farm {settings.folder}",
            ),
        ]
    )
    _say_left_out(done.left_out)


def _say_left_out(names: "Sequence[str]") -> None:
    if names:
        print_line(f"left out, as only a newer release knows it: {', '.join(names)}")


@commands.command("roll-up", epilog="Example: corral backup roll-up --dry-run")
def roll_up_backups(
    context: typer.Context,
    *,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Only print what would go.", show_default=False),
    ] = False,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take away the backups that are not kept; each new backup does it as well."""
    gone = opening.opened(context, farm).roll_up_backups(is_dry_run=dry_run)
    if as_json:
        print_json({"rolled_up": [one.name for one in gone], "dry_run": dry_run})
        return
    for one in gone:
        print_line(f"{'would go' if dry_run else 'rolled up'}: {one.name}")
    if not gone:
        print_line("all of them are kept")


@commands.command("schedule", epilog="Example: corral backup schedule --at '30 2 * * *'")
def schedule_backups(
    context: typer.Context,
    *,
    at: Annotated[
        str,
        typer.Option(
            "--at",
            metavar="TIMES",
            help="Minute, hour, day of the month, month, day of the week, as in cron.",
        ),
    ] = "30 2 * * *",
    timezone: Annotated[
        str, typer.Option("--timezone", metavar="ZONE", help="Whose clock it is.")
    ] = "UTC",
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Have workers back the farm up by the clock, under the schedule named 'backup'."""
    from corral.farm.application.create_backup import BackupWish  # noqa: PLC0415
    from corral.farm.domain.task.schedule import Times, schedule_name  # noqa: PLC0415
    from corral.farm.entrypoints.cli import task_documents  # noqa: PLC0415

    application = opening.opened(context, farm)
    application.create_backup.prepare(BackupWish())
    added = application.add_schedule(schedule_name("backup"), Times(at, timezone), "backup", {})
    if as_json:
        views = application.list_schedules()
        [view] = [view for view in views if view.schedule.name == added.name]
        print_json(task_documents.schedule_view(view))
    else:
        print_line(f"schedule {added.name} is there; 'corral serve worker' begins its runs")


def _key(file: Path, passphrase_file: Path | None) -> "BackupKey":
    from corral.farm.adapters.backup_files.keys import is_under_passphrase  # noqa: PLC0415
    from corral.farm.application.ports.backups import BackupKey  # noqa: PLC0415

    passphrase = None
    if passphrase_file is not None:
        passphrase = secrets.first_line(passphrase_file)
    elif is_under_passphrase(file):
        passphrase = secrets.typed("Passphrase of the key")
    return BackupKey(file, passphrase)


def _opened_if_there(
    context: typer.Context, farm: Path | None, *, is_needed: bool
) -> "Application | None":
    from corral.farm.domain.errors import DomainError  # noqa: PLC0415 - not for `--help`

    try:
        application = opening.opened(context, farm)
        application.show_farm()
    except DomainError:
        if is_needed or farm is not None:
            raise
        return None
    return application
