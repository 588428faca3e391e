"""``corral account``."""

from typing import TYPE_CHECKING, Annotated

import typer

from corral.farm.entrypoints.cli import access_documents, completion, opening, secrets
from corral.farm.entrypoints.cli.edits import DescriptionOption, RevisionOption
from corral.farm.entrypoints.cli.group import command_group
from corral.farm.entrypoints.cli.listing import (
    AfterOption,
    FilterOption,
    LimitOption,
    SortOption,
    page_of,
    print_page,
    print_page_json,
    wish_of,
)
from corral.farm.entrypoints.cli.opening import FarmOption, JsonOption
from corral.farm.entrypoints.cli.output import (
    human_time,
    print_facts,
    print_json,
    print_line,
)
from corral.farm.entrypoints.cli.secrets import (
    AskOption,
    NoPasswordOption,
    OneTimeOption,
    PasswordFileOption,
)

if TYPE_CHECKING:
    from corral.farm.application.add_account import AccountWithSecret
    from corral.farm.application.list_accounts import AccountView, RoleView

commands = command_group("Accounts: who may sign in.")

AccountArgument = Annotated[
    str,
    typer.Argument(
        help="Name of the account.", metavar="ACCOUNT", autocompletion=completion.accounts
    ),
]


@commands.command("add", epilog="Example: corral account add ada --description 'Ada, operations'")
def add_account(  # noqa: PLR0913 - one for each option of the command
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Name of the account.", metavar="NAME")],
    *,
    description: DescriptionOption = None,
    one_time: OneTimeOption = False,
    ask: AskOption = False,
    password_file: PasswordFileOption = None,
    no_password: NoPasswordOption = False,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add an account; it holds no role yet."""
    from corral.farm.domain.access.account import account_name  # noqa: PLC0415 - not for `--help`

    checked = account_name(name)
    how = secrets.how_to_sign_in(one_time=one_time, ask=ask, file=password_file, none=no_password)
    given = opening.opened(context, farm).add_account(checked, how, description or "")
    _print_with_secret(given, f"corral role grant {checked} ROLE", as_json=as_json)


@commands.command("list", epilog="Example: corral account list")
def list_accounts(  # noqa: PLR0913
    context: typer.Context,
    *,
    filters: FilterOption = None,
    sort: SortOption = None,
    limit: LimitOption = None,
    after: AfterOption = None,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the accounts with their groups and roles.

    Keys are name, description, disabled, group, role, created, signed-in.
    """
    from corral.farm.application.list_accounts import ACCOUNTS  # noqa: PLC0415 - not for `--help`

    views = opening.opened(context, farm).list_accounts()
    wish = wish_of(filters, sort, limit, after)
    page = page_of(views, ACCOUNTS, wish)
    if as_json:
        print_page_json(page, wish, access_documents.account)
    else:
        print_page(
            page,
            wish,
            ("ACCOUNT", "STATE", "GROUPS", "ROLES", "LAST SIGN-IN", "DESCRIPTION"),
            _row,
            empty="no accounts yet: corral account add",
        )


def _row(view: "AccountView") -> tuple[str, ...]:
    return (
        view.account.name,
        _state(view),
        " ".join(view.groups),
        ", ".join(map(role_text, view.roles)),
        human_time(view.account.signed_in_at),
        view.account.description,
    )


@commands.command("show", epilog="Example: corral account show ada")
def show_account(
    context: typer.Context,
    name: AccountArgument,
    *,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show an account, its groups and its roles."""
    from corral.farm.domain.access.account import account_name  # noqa: PLC0415

    view = opening.opened(context, farm).show_account(account_name(name))
    if as_json:
        print_json(access_documents.account(view))
        return
    print_facts(
        [
            ("account", view.account.name),
            ("state", _state(view)),
            ("description", view.account.description),
            ("created", human_time(view.account.created_at)),
            ("last sign-in", human_time(view.account.signed_in_at)),
            ("groups", " ".join(view.groups) or "none"),
            ("roles", ", ".join(map(role_text, view.roles)) or "none: corral role grant"),
            ("revision", str(view.account.revision)),
        ]
    )


@commands.command("change", epilog="Example: corral account change ada --description 'on leave'")
def change_account(  # noqa: PLR0913
    context: typer.Context,
    name: AccountArgument,
    *,
    description: DescriptionOption = None,
    revision: RevisionOption = None,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change what an account is for."""
    from corral.farm.domain.access.account import account_name  # noqa: PLC0415

    application = opening.opened(context, farm)
    changed = application.change_account(
        account_name(name), description=description, revision=revision
    )
    if as_json:
        print_json(access_documents.account(application.show_account(changed.name)))
    else:
        print_line(f"account {changed.name} is as you said")


@commands.command("disable", epilog="Example: corral account disable ada")
def disable_account(
    context: typer.Context,
    name: AccountArgument,
    *,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let nobody in as this account; its sessions and tokens open nothing from now on."""
    _set_disabled(context, name, farm, disabled=True, as_json=as_json)


@commands.command("enable", epilog="Example: corral account enable ada")
def enable_account(
    context: typer.Context,
    name: AccountArgument,
    *,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let a disabled account in again, with the roles that it had."""
    _set_disabled(context, name, farm, disabled=False, as_json=as_json)


@commands.command("remove", epilog="Example: corral account remove ada")
def remove_account(
    context: typer.Context,
    name: AccountArgument,
    *,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Remove an account, its roles and its tokens; the audit log goes on naming it."""
    from corral.farm.domain.access.account import account_name  # noqa: PLC0415

    removed = opening.opened(context, farm).remove_account(account_name(name))
    if as_json:
        print_json({"name": removed.name, "removed": True})
    else:
        print_line(f"account {removed.name} is removed")


@commands.command("set-password", epilog="Example: corral account set-password ada --one-time")
def set_password(  # noqa: PLR0913
    context: typer.Context,
    name: AccountArgument,
    *,
    one_time: OneTimeOption = False,
    ask: AskOption = False,
    password_file: PasswordFileOption = None,
    no_password: NoPasswordOption = False,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Set what somebody signs in with; every session of the account ends."""
    from corral.farm.domain.access.account import account_name  # noqa: PLC0415

    checked = account_name(name)
    how = secrets.how_to_sign_in(one_time=one_time, ask=ask, file=password_file, none=no_password)
    given = opening.opened(context, farm).set_password(checked, how)
    _print_with_secret(given, "give the secret to its owner", as_json=as_json)


def role_text(view: "RoleView") -> str:
    """Give a role with what it is over."""
    return view.role.value if view.over == "farm" else f"{view.role.value} of {view.over}"


def _set_disabled(
    context: typer.Context, name: str, farm: FarmOption, *, disabled: bool, as_json: bool
) -> None:
    from corral.farm.domain.access.account import account_name  # noqa: PLC0415

    application = opening.opened(context, farm)
    changed = application.change_account(account_name(name), disabled=disabled)
    if as_json:
        print_json(access_documents.account(application.show_account(changed.name)))
    else:
        print_line(f"account {changed.name} is {'disabled' if disabled else 'enabled'}")


def _print_with_secret(given: "AccountWithSecret", then: str, *, as_json: bool) -> None:
    secret = None if given.secret is None else given.secret.reveal()
    if as_json:
        print_json({"name": given.account.name, "one_time_secret": secret})
        return
    facts = [("account", str(given.account.name))]
    if secret is not None:
        facts.append(("one-time secret", f"{secret} (shown now and never again)"))
    print_facts([*facts, ("next", then)])


def _state(view: "AccountView") -> str:
    of = view.account
    if of.disabled:
        return "disabled"
    if of.password is None:
        return "no password"
    return "one-time secret" if of.password.one_time_until is not None else "enabled"
