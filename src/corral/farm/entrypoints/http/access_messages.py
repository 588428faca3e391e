"""Accounts, roles and tokens as messages."""

from datetime import datetime

from corral.farm.application.add_account import AccountWithSecret
from corral.farm.application.issue_token import IssuedToken, TokenView
from corral.farm.application.list_accounts import AccountView, GroupView, RoleView
from corral.farm.application.listing import Page
from corral.farm.domain.access.audit import NotedEntry
from corral.wire import access as wire


def role(view: RoleView) -> wire.RoleItem:
    """Show a role that somebody holds."""
    return wire.RoleItem(
        role=view.role.value, holder=view.holder, is_group=view.is_group, over=view.over
    )


def account(view: AccountView) -> wire.AccountItem:
    """Show an account."""
    of = view.account
    return wire.AccountItem(
        name=of.name,
        description=of.description,
        disabled=of.disabled,
        has_password=of.password is not None,
        must_change_password=of.password is not None and of.password.one_time_until is not None,
        created_at=_seconds(of.created_at),
        signed_in_at=None if of.signed_in_at is None else _seconds(of.signed_in_at),
        groups=view.groups,
        roles=tuple(map(role, view.roles)),
        revision=of.revision,
    )


def with_secret(given: AccountWithSecret) -> wire.AccountWithSecret:
    """Show an account with the secret that was made for it."""
    secret = None if given.secret is None else given.secret.reveal()
    return wire.AccountWithSecret(name=given.account.name, one_time_secret=secret)


def group(view: GroupView) -> wire.GroupItem:
    """Show a group."""
    return wire.GroupItem(
        name=view.group.name,
        description=view.group.description,
        members=view.members,
        roles=tuple(map(role, view.roles)),
        revision=view.group.revision,
    )


def token(view: TokenView) -> wire.TokenItem:
    """Show a token without its secret."""
    of = view.token
    return wire.TokenItem(
        id=str(of.id),
        account=view.account,
        name=of.name,
        kind=of.kind.value,
        scopes=None if of.scopes is None else tuple(sorted(of.scopes)),
        created_at=_seconds(of.created_at),
        expires_at=_seconds(of.expires_at),
        revoked_at=None if of.revoked_at is None else _seconds(of.revoked_at),
        works=view.works,
    )


def tokens(page: Page[TokenView]) -> wire.TokenList:
    """Show a page of tokens."""
    return wire.TokenList(tokens=tuple(map(token, page.items)), total=page.total, next=page.next)


def issued(given: IssuedToken) -> wire.IssuedToken:
    """Show a token with its secret."""
    return wire.IssuedToken(
        id=str(given.kept.id),
        name=given.kept.name,
        token=given.secret.reveal(),
        scopes=tuple(sorted(given.kept.scopes or ())),
        expires_at=_seconds(given.kept.expires_at),
    )


def entry(noted: NotedEntry) -> wire.AuditItem:
    """Show a change."""
    of = noted.entry
    return wire.AuditItem(
        number=noted.number,
        at=_seconds(of.at),
        actor_kind=of.actor.kind.value,
        actor=of.actor.name,
        where=of.actor.where,
        what=of.what,
        thing=of.thing,
        before=None if of.before is None else dict(of.before),
        after=None if of.after is None else dict(of.after),
    )


def _seconds(instant: datetime) -> int:
    return int(instant.timestamp())
