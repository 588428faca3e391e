"""What people's tools say and hear about accounts, roles, tokens and the audit log.

Secrets travel in bodies only, never in paths or queries, which are logged on their way.
"""

from typing import Any

from pydantic import Field, SecretStr

from corral.wire.estate import Listed
from corral.wire.message import Message, Name, Part, UnixMoment, UnixSeconds


class SignInRequest(Message):
    """The body of ``POST /v1/sign-in``."""

    account: Name
    password: SecretStr = Field(max_length=1024)
    new_password: SecretStr | None = Field(default=None, max_length=1024)
    """A one-time secret opens nothing without it."""


class SignInAnswer(Message):
    """A token that shows who signed in; it is never shown again."""

    account: Name
    token: str
    expires_at: UnixSeconds


class RoleItem(Part):
    """A role that somebody holds."""

    role: str
    holder: Name
    is_group: bool
    over: str
    """The name of the site or the collection; ``farm`` for roles over the farm."""


class Myself(Message):
    """The answer to ``GET /v1/self``."""

    account: Name
    roles: tuple[RoleItem, ...]
    permissions: tuple[str, ...]
    """Everything that these roles allow somewhere."""


class PasswordChange(Message):
    """The body of ``POST /v1/self/password``."""

    old: SecretStr = Field(max_length=1024)
    new: SecretStr = Field(max_length=1024)


class AccountItem(Message):
    """An account; what it signs in with is nobody's business."""

    name: Name
    description: str
    disabled: bool
    has_password: bool
    must_change_password: bool
    created_at: UnixSeconds
    signed_in_at: UnixSeconds | None
    groups: tuple[Name, ...]
    roles: tuple[RoleItem, ...]
    revision: int


class AccountList(Listed):
    """The answer to ``GET /v1/accounts``."""

    accounts: tuple[AccountItem, ...]


class NewAccount(Message):
    """The body of ``POST /v1/accounts``."""

    name: Name
    description: str = ""
    password: SecretStr | None = Field(default=None, max_length=1024)
    """Without it, a one-time secret is made, or none if ``no_password``."""
    no_password: bool = False


class NewPassword(Message):
    """The body of ``POST /v1/accounts/{name}/password``: as in ``NewAccount``."""

    password: SecretStr | None = Field(default=None, max_length=1024)
    no_password: bool = False


class AccountWithSecret(Message):
    """An account, and the one-time secret that was made for it; it is never shown again."""

    name: Name
    one_time_secret: str | None


class AccountEdit(Message):
    """The body of ``PATCH /v1/accounts/{name}``; what is left out stays."""

    description: str | None = None
    disabled: bool | None = None


class GroupItem(Message):
    """A group."""

    name: Name
    description: str
    members: tuple[Name, ...]
    roles: tuple[RoleItem, ...]
    revision: int


class GroupList(Listed):
    """The answer to ``GET /v1/groups``."""

    groups: tuple[GroupItem, ...]


class NewGroup(Message):
    """The body of ``POST /v1/groups``."""

    name: Name
    description: str = ""
    members: tuple[Name, ...] = ()


class GroupEdit(Message):
    """The body of ``PATCH /v1/groups/{name}``; what is left out stays."""

    description: str | None = None
    add: tuple[Name, ...] = ()
    remove: tuple[Name, ...] = ()


class RoleList(Listed):
    """The answer to ``GET /v1/roles``."""

    roles: tuple[RoleItem, ...]


class RoleWish(Message):
    """The body of ``POST /v1/roles/grant`` and ``POST /v1/roles/revoke``."""

    role: str
    account: Name | None = None
    group: Name | None = None
    """One of the two."""
    site: Name | None = None
    collection: Name | None = None


class TokenItem(Part):
    """A token, without its secret."""

    id: str
    account: Name
    name: Name
    kind: str
    scopes: tuple[str, ...] | None
    """None of a session: whatever the account may."""
    created_at: UnixSeconds
    expires_at: UnixSeconds
    revoked_at: UnixSeconds | None
    works: bool


class TokenList(Listed):
    """The answer to ``GET /v1/tokens``."""

    tokens: tuple[TokenItem, ...]


class NewToken(Message):
    """The body of ``POST /v1/self/tokens``."""

    name: Name
    scopes: tuple[str, ...] = Field(min_length=1)
    expires_at: UnixMoment | None = None
    """90 days from now if left out."""


class NewTokenFor(NewToken):
    """The body of ``POST /v1/tokens``."""

    account: Name


class IssuedToken(Message):
    """A token; it is never shown again."""

    id: str
    name: Name
    token: str
    scopes: tuple[str, ...]
    expires_at: UnixSeconds


class AuditItem(Part):
    """A change: who, from where, what before, what after."""

    number: int
    at: UnixSeconds
    actor_kind: str
    actor: str
    where: str
    what: str
    thing: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None


class AuditPage(Message):
    """The answer to ``GET /v1/audit``, the newest entry first."""

    entries: tuple[AuditItem, ...]
    next: int | None
    """What to ask with as ``before`` for the next page; none at the end."""
