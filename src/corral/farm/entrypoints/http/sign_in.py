"""People sign in, and look after their own accounts."""

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter
from pydantic import SecretStr
from starlette.requests import Request

from corral.farm.application.issue_token import TOKENS, IssuedToken
from corral.farm.application.listing import page_of
from corral.farm.domain.access.access_token import scopes_of, token_name
from corral.farm.domain.access.account import AccountName, account_name
from corral.farm.domain.access.actor import Actor, ActorKind
from corral.farm.domain.access.errors import PersonNeededError
from corral.farm.domain.access.password import Password
from corral.farm.domain.access.permission import TABLE, Permission
from corral.farm.entrypoints.http import access_messages
from corral.farm.entrypoints.http.application import Application
from corral.farm.entrypoints.http.permitted import (
    Caller,
    OpenTo,
    address_of,
    open_to,
    permitted,
)
from corral.farm.entrypoints.http.wishes import Wished
from corral.wire import access as wire

Self = Annotated[Caller, permitted(Permission.SELF)]


def routes(application: Application) -> APIRouter:
    """Give the routes."""
    router = APIRouter(prefix="/v1", tags=["sign-in"])

    @router.post("/sign-in", operation_id="sign_in", dependencies=[open_to(OpenTo.EVERYBODY)])
    def sign_in(request: Request, message: wire.SignInRequest) -> wire.SignInAnswer:
        """Give a token for an account's password, good for twelve hours.

        A one-time secret is good for one call, which must bring the new password.
        """
        name, address = account_name(message.account), address_of(request)
        claimed = application.acting_as(Actor(ActorKind.ACCOUNT, name, address))
        signed = claimed.sign_in(
            name, password_of(message.password), address, _optional(message.new_password)
        )
        return wire.SignInAnswer(
            account=signed.account.name,
            token=signed.secret.reveal(),
            expires_at=int(signed.token.expires_at.timestamp()),
        )

    @router.get("/self", operation_id="show_self")
    def show(caller: Self) -> wire.Myself:
        """Say who is signed in, and what they may do."""
        view = caller.application.show_account(_own_name(caller))
        return wire.Myself(
            account=view.account.name,
            roles=tuple(map(access_messages.role, view.roles)),
            permissions=tuple(one.value for one in TABLE if caller.may(one)),
        )

    @router.post("/self/sign-out", operation_id="sign_out", status_code=HTTPStatus.NO_CONTENT)
    def sign_out(caller: Self) -> None:
        """End the session whose token this is."""
        if caller.account is None:
            raise PersonNeededError
        caller.application.revoke_token(str(caller.account.token.id))

    @router.post(
        "/self/password", operation_id="change_own_password", status_code=HTTPStatus.NO_CONTENT
    )
    def change_password(message: wire.PasswordChange, caller: Self) -> None:
        """Change one's own password; every session ends, this one too."""
        if caller.account is None:
            raise PersonNeededError
        caller.application.change_own_password(
            caller.account.account.id, password_of(message.old), password_of(message.new)
        )

    @router.get("/self/tokens", operation_id="list_own_tokens")
    def tokens(wish: Wished, caller: Self) -> wire.TokenList:
        """List one's own tokens, by the same keys as everybody's."""
        own = caller.application.list_tokens(_own_name(caller))
        return access_messages.tokens(page_of(own, TOKENS, wish))

    @router.post("/self/tokens", operation_id="issue_own_token", status_code=HTTPStatus.CREATED)
    def issue(message: wire.NewToken, caller: Self) -> wire.IssuedToken:
        """Make a token for a program that acts for one's own account."""
        return access_messages.issued(issued_as(caller.application, _own_name(caller), message))

    @router.delete(
        "/self/tokens/{token}",
        operation_id="revoke_own_token",
        status_code=HTTPStatus.NO_CONTENT,
    )
    def revoke(token: str, caller: Self) -> None:
        """End one of one's own tokens at once, by its id or its name."""
        caller.application.revoke_token(token, _own_name(caller))

    return router


def password_of(secret: SecretStr) -> Password:
    """Take a password out of a message."""
    return Password(secret.get_secret_value())


def issued_as(
    application: Application, account: AccountName, message: wire.NewToken
) -> IssuedToken:
    """Make the token that a message asks for."""
    until = None
    if message.expires_at is not None:
        until = datetime.fromtimestamp(message.expires_at, UTC)
    return application.issue_token(
        account, token_name(message.name), scopes_of(message.scopes), until
    )


def _optional(secret: SecretStr | None) -> Password | None:
    return None if secret is None else password_of(secret)


def _own_name(caller: Caller) -> AccountName:
    if caller.account is None:
        raise PersonNeededError
    return caller.account.account.name
