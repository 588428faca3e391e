"""The JSON of accounts, groups, roles, tokens and the audit log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corral.farm.entrypoints.cli.documents import instant

if TYPE_CHECKING:
    from corral.farm.application.issue_token import IssuedToken, TokenView
    from corral.farm.application.list_accounts import AccountView, GroupView, RoleView
    from corral.farm.domain.access.audit import NotedEntry
    from corral.farm.entrypoints.cli.output import Json


def role(view: RoleView) -> dict[str, Json]:
    """Show a role that somebody holds."""
    return {
        "role": view.role.value,
        "holder": view.holder,
        "is_group": view.is_group,
        "over": view.over,
    }


def account(view: AccountView) -> dict[str, Json]:
    """Show an account."""
    of = view.account
    return {
        "id": str(of.id),
        "name": of.name,
        "description": of.description,
        "disabled": of.disabled,
        "has_password": of.password is not None,
        "must_change_password": (
            of.password is not None and of.password.one_time_until is not None
        ),
        "created_at": instant(of.created_at),
        "signed_in_at": instant(of.signed_in_at),
        "groups": list(view.groups),
        "roles": [role(one) for one in view.roles],
        "revision": of.revision,
    }


def group(view: GroupView) -> dict[str, Json]:
    """Show a group."""
    return {
        "id": str(view.group.id),
        "name": view.group.name,
        "description": view.group.description,
        "members": list(view.members),
        "roles": [role(one) for one in view.roles],
        "revision": view.group.revision,
    }


def token(view: TokenView) -> dict[str, Json]:
    """Show a token without its secret."""
    of = view.token
    return {
        "id": str(of.id),
        "account": view.account,
        "name": of.name,
        "kind": of.kind.value,
        "scopes": None if of.scopes is None else sorted(of.scopes),
        "created_at": instant(of.created_at),
        "expires_at": instant(of.expires_at),
        "revoked_at": instant(of.revoked_at),
        "works": view.works,
    }


def issued_token(given: IssuedToken) -> dict[str, Json]:
    """Show a token with its secret."""
    return {
        "id": str(given.kept.id),
        "name": given.kept.name,
        "scopes": sorted(given.kept.scopes or ()),
        "expires_at": instant(given.kept.expires_at),
        "token": given.secret.reveal(),
    }


def entry(noted: NotedEntry) -> dict[str, Json]:
    """Show a change."""
    of = noted.entry
    return {
        "number": noted.number,
        "at": instant(of.at),
        "actor_kind": of.actor.kind.value,
        "actor": of.actor.name,
        "where": of.actor.where,
        "what": of.what,
        "thing": of.thing,
        "before": None if of.before is None else dict(of.before),
        "after": None if of.after is None else dict(of.after),
    }
