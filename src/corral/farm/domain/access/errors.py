"""The rules of accounts, roles and tokens that can be broken."""

from __future__ import annotations

from corral.farm.domain.errors import (
    DeniedError,
    EditConflictError,
    InvalidInputError,
    RefusedError,
    TakenError,
    TryAgainError,
    UnknownThingError,
)


class AccountUnknownError(UnknownThingError):
    """The farm has no account of that name."""

    code = "account-unknown"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"the farm has no account {name!r}: 'corral account list' shows those it has"
        )


class AccountNameTakenError(TakenError):
    """The name of an account is unique in its farm."""

    code = "account-name-taken"

    def __init__(self, name: str) -> None:
        super().__init__(f"the farm has an account {name!r} already: choose another name")


class AccountChangedError(EditConflictError):
    """An account is changed by one person at a time; the second is told to look again."""

    code = "account-changed"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"account {name!r} was changed by somebody else since you looked: look again with"
            f" 'corral account show {name}', then repeat your change if it still makes sense"
        )


class LastAdministratorError(RefusedError):
    """Somebody who can sign in must always be administrator of the farm."""

    code = "last-administrator"

    def __init__(self) -> None:
        super().__init__(
            "after this nobody could administrate the farm any more: make another account"
            " administrator first, with 'corral role grant ACCOUNT farm-administrator'"
        )


class GroupUnknownError(UnknownThingError):
    """The farm has no group of that name."""

    code = "group-unknown"

    def __init__(self, name: str) -> None:
        super().__init__(f"the farm has no group {name!r}: 'corral group list' shows those it has")


class GroupNameTakenError(TakenError):
    """The name of a group is unique in its farm."""

    code = "group-name-taken"

    def __init__(self, name: str) -> None:
        super().__init__(f"the farm has a group {name!r} already: choose another name")


class GroupChangedError(EditConflictError):
    """A group is changed by one person at a time; the second is told to look again."""

    code = "group-changed"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"group {name!r} was changed by somebody else since you looked: look again with"
            f" 'corral group show {name}', then repeat your change if it still makes sense"
        )


class RoleUnknownError(InvalidInputError):
    """A role has one of the names of the permission table."""

    code = "role-unknown"

    def __init__(self, text: str, known: str) -> None:
        super().__init__(f"{text!r} is no role: use one of {known}")


class RoleExtentError(InvalidInputError):
    """A role is granted over what its name says: the farm, one site or one collection."""

    code = "role-extent"

    def __init__(self, role: str, extent: str) -> None:
        way = {
            "farm": "name neither a site nor a collection",
            "site": "name the site, and no collection",
            "collection": "name the collection, and no site",
        }[extent]
        super().__init__(f"the role {role} is over one {extent}: {way}")


class RoleGrantedError(TakenError):
    """A role is granted once to the same holder over the same place."""

    code = "role-granted"

    def __init__(self, holder: str, role: str) -> None:
        super().__init__(f"{holder!r} has the role {role} there already: nothing is left to do")


class RoleNotGrantedError(UnknownThingError):
    """Only a role that was granted can be revoked."""

    code = "role-not-granted"

    def __init__(self, holder: str, role: str) -> None:
        super().__init__(
            f"{holder!r} does not have the role {role} there: 'corral role list' shows who has"
            " which"
        )


class ScopeUnknownError(InvalidInputError):
    """A scope of a token is the name of a permission, ``NOUN.*``, ``*.read`` or ``*``."""

    code = "scope-unknown"

    def __init__(self, text: str) -> None:
        super().__init__(
            f"{text!r} is no scope: use the name of a permission such as server.drain, all of a"
            " noun such as server.*, *.read for everything that only reads, or * for everything"
        )


class TokenLifeError(InvalidInputError):
    """A token lives from a minute to 400 days."""

    code = "token-life"

    def __init__(self) -> None:
        super().__init__(
            "a token must expire between a minute and 400 days from now: choose another moment,"
            " and make a new token before the old one has expired"
        )


class AccessTokenUnknownError(UnknownThingError):
    """The farm has no such token."""

    code = "access-token-unknown"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"there is no token {name!r}: 'corral token list' shows those that there are"
        )


class AccessTokenNameTakenError(TakenError):
    """The name of a token is unique among those of its account that still work."""

    code = "access-token-name-taken"

    def __init__(self, account: str, name: str) -> None:
        super().__init__(
            f"account {account!r} has a token {name!r} already: choose another name, or revoke"
            " that one first"
        )


class AccessTokenExpiredError(DeniedError):
    """A token works until it expires or is revoked."""

    code = "access-token-expired"

    def __init__(self) -> None:
        super().__init__(
            "this token has expired or was revoked: sign in again, or make a new token"
        )


class SignInWrongError(DeniedError):
    """Signing in needs the name of an account and its password; which is wrong is not said."""

    code = "sign-in-wrong"

    def __init__(self) -> None:
        super().__init__(
            "the name or the password is wrong, or the account is disabled: an administrator of"
            " the farm can look, and give a new one-time secret"
        )


class PasswordMustChangeError(DeniedError):
    """A one-time secret opens nothing but the change to a password of one's own."""

    code = "password-must-change"

    def __init__(self) -> None:
        super().__init__(
            "this secret can be used once, to choose a password: sign in again with it and with"
            " the new password ('new_password')"
        )


class OneTimeSecretExpiredError(DeniedError):
    """A one-time secret that nobody used in time is worth nothing."""

    code = "one-time-secret-expired"

    def __init__(self) -> None:
        super().__init__(
            "this one-time secret has expired: whoever may write the farm's folder, or an"
            " administrator, makes a new one with 'corral account set-password NAME --one-time'"
        )


class SignInTooOftenError(TryAgainError):
    """Wrong passwords are slowed down, by account and by address."""

    code = "sign-in-too-often"

    def __init__(self, seconds: int) -> None:
        super().__init__(
            f"there were too many attempts to sign in: try again in {seconds} s; other addresses"
            " and other accounts are not held up by this"
        )


class PersonNeededError(DeniedError):
    """Passwords and tokens are made by a person who signed in, not by another token."""

    code = "person-needed"

    def __init__(self) -> None:
        super().__init__(
            "a token cannot do this: sign in with the account's password first, with POST"
            " /v1/sign-in"
        )
