"""Accounts, groups, roles and everybody's tokens."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import SecretStr

from corral.farm.application.give_password import HowToSignIn
from corral.farm.application.grant_role import WantedRole
from corral.farm.application.issue_token import TOKENS
from corral.farm.application.list_accounts import ACCOUNTS, GROUPS, ROLES
from corral.farm.application.listing import page_of
from corral.farm.domain.access.account import account_name, group_name
from corral.farm.domain.access.password import Password
from corral.farm.domain.access.permission import Permission
from corral.farm.domain.access.role_names import role_named
from corral.farm.domain.estate.collection import collection_name
from corral.farm.domain.estate.site import site_name
from corral.farm.entrypoints.http import access_messages
from corral.farm.entrypoints.http.permitted import Caller, permitted
from corral.farm.entrypoints.http.sign_in import issued_as, password_of
from corral.farm.entrypoints.http.wishes import Expected, Wished, tag
from corral.wire import access as wire

Reader = Annotated[Caller, permitted(Permission.ACCOUNT_READ)]
Changer = Annotated[Caller, permitted(Permission.ACCOUNT_CHANGE)]


def account_routes() -> APIRouter:
    """Give the routes of accounts."""
    router = APIRouter(prefix="/v1/accounts", tags=["accounts"])

    @router.get("", operation_id="list_accounts")
    def accounts(wish: Wished, caller: Reader) -> wire.AccountList:
        """List the accounts with their groups and roles.

        Keys are name, description, disabled, group, role, created, signed-in.
        """
        page = page_of(caller.application.list_accounts(), ACCOUNTS, wish)
        items = tuple(map(access_messages.account, page.items))
        return wire.AccountList(accounts=items, total=page.total, next=page.next)

    @router.post("", operation_id="add_account", status_code=HTTPStatus.CREATED)
    def add(message: wire.NewAccount, caller: Changer) -> wire.AccountWithSecret:
        """Add an account, which holds no role yet."""
        how = _how(message.password, no_password=message.no_password)
        name = account_name(message.name)
        given = caller.application.add_account(name, how, message.description)
        return access_messages.with_secret(given)

    @router.get("/{name}", operation_id="show_account")
    def show(name: str, response: Response, caller: Reader) -> wire.AccountItem:
        """Show an account."""
        return _account(caller, name, response)

    @router.patch("/{name}", operation_id="change_account")
    def change(
        name: str,
        message: wire.AccountEdit,
        expected: Expected,
        response: Response,
        caller: Changer,
    ) -> wire.AccountItem:
        """Change what an account is for, disable or enable it."""
        of = account_name(name)
        caller.application.change_account(
            of,
            description=message.description,
            disabled=message.disabled,
            revision=expected,
        )
        return _account(caller, name, response)

    @router.delete("/{name}", operation_id="remove_account", status_code=HTTPStatus.NO_CONTENT)
    def remove(name: str, caller: Changer) -> None:
        """Remove an account, its roles and its tokens."""
        caller.application.remove_account(account_name(name))

    @router.post("/{name}/password", operation_id="set_password")
    def set_password(
        name: str, message: wire.NewPassword, caller: Changer
    ) -> wire.AccountWithSecret:
        """Set what somebody signs in with; their sessions end."""
        how = _how(message.password, no_password=message.no_password)
        return access_messages.with_secret(caller.application.set_password(account_name(name), how))

    return router


def group_routes() -> APIRouter:
    """Give the routes of groups."""
    router = APIRouter(prefix="/v1/groups", tags=["accounts"])

    @router.get("", operation_id="list_groups")
    def groups(wish: Wished, caller: Reader) -> wire.GroupList:
        """List the groups; keys are name, description, member, members, role."""
        page = page_of(caller.application.list_groups(), GROUPS, wish)
        items = tuple(map(access_messages.group, page.items))
        return wire.GroupList(groups=items, total=page.total, next=page.next)

    @router.post("", operation_id="add_group", status_code=HTTPStatus.CREATED)
    def add(message: wire.NewGroup, response: Response, caller: Changer) -> wire.GroupItem:
        """Add a group, which holds no role yet."""
        of = group_name(message.name)
        caller.application.add_group(of, map(account_name, message.members), message.description)
        return _group(caller, of, response)

    @router.get("/{name}", operation_id="show_group")
    def show(name: str, response: Response, caller: Reader) -> wire.GroupItem:
        """Show a group."""
        return _group(caller, name, response)

    @router.patch("/{name}", operation_id="change_group")
    def change(
        name: str,
        message: wire.GroupEdit,
        expected: Expected,
        response: Response,
        caller: Changer,
    ) -> wire.GroupItem:
        """Change what a group is for, and who is in it."""
        of = group_name(name)
        caller.application.change_group(
            of,
            add=map(account_name, message.add),
            remove=map(account_name, message.remove),
            description=message.description,
            revision=expected,
        )
        return _group(caller, name, response)

    @router.delete("/{name}", operation_id="remove_group", status_code=HTTPStatus.NO_CONTENT)
    def remove(name: str, caller: Changer) -> None:
        """Remove a group; its members lose the roles that they had by it."""
        caller.application.remove_group(group_name(name))

    return router


def role_routes() -> APIRouter:
    """Give the routes of roles."""
    router = APIRouter(prefix="/v1/roles", tags=["accounts"])

    @router.get("", operation_id="list_roles")
    def roles(wish: Wished, caller: Reader) -> wire.RoleList:
        """Say who holds which role over what; keys are holder, group, role, over."""
        page = page_of(caller.application.list_roles(), ROLES, wish)
        items = tuple(map(access_messages.role, page.items))
        return wire.RoleList(roles=items, total=page.total, next=page.next)

    @router.post("/grant", operation_id="grant_role", status_code=HTTPStatus.NO_CONTENT)
    def grant(message: wire.RoleWish, caller: Changer) -> None:
        """Give an account or a group a role."""
        caller.application.grant_role(_wanted(message))

    @router.post("/revoke", operation_id="revoke_role", status_code=HTTPStatus.NO_CONTENT)
    def revoke(message: wire.RoleWish, caller: Changer) -> None:
        """Take a role from an account or a group."""
        caller.application.revoke_role(_wanted(message))

    return router


def token_routes() -> APIRouter:
    """Give the routes of tokens."""
    router = APIRouter(prefix="/v1/tokens", tags=["accounts"])

    @router.get("", operation_id="list_tokens")
    def tokens(wish: Wished, caller: Reader, account: str | None = None) -> wire.TokenList:
        """List everybody's tokens, or those of an account, the oldest first.

        Keys are name, account, kind, works, scope, created, expires, revoked.
        """
        of = None if account is None else account_name(account)
        return access_messages.tokens(page_of(caller.application.list_tokens(of), TOKENS, wish))

    @router.post("", operation_id="issue_token", status_code=HTTPStatus.CREATED)
    def issue(message: wire.NewTokenFor, caller: Changer) -> wire.IssuedToken:
        """Make a token for a program that acts for an account."""
        account = account_name(message.account)
        return access_messages.issued(issued_as(caller.application, account, message))

    @router.delete("/{token}", operation_id="revoke_token", status_code=HTTPStatus.NO_CONTENT)
    def revoke(token: str, caller: Changer) -> None:
        """End somebody's token at once, by its id."""
        caller.application.revoke_token(token)

    return router


def _account(caller: Caller, name: str, response: Response) -> wire.AccountItem:
    view = caller.application.show_account(account_name(name))
    tag(response, view.account.revision)
    return access_messages.account(view)


def _group(caller: Caller, name: str, response: Response) -> wire.GroupItem:
    view = caller.application.show_group(group_name(name))
    tag(response, view.group.revision)
    return access_messages.group(view)


def _how(password: SecretStr | None, *, no_password: bool) -> HowToSignIn | Password:
    if password is not None:
        return password_of(password)
    return HowToSignIn.NOT_AT_ALL if no_password else HowToSignIn.ONE_TIME


def _wanted(message: wire.RoleWish) -> WantedRole:
    return WantedRole(
        role=role_named(message.role),
        account=None if message.account is None else account_name(message.account),
        group=None if message.group is None else group_name(message.group),
        site=None if message.site is None else site_name(message.site),
        collection=None if message.collection is None else collection_name(message.collection),
    )
