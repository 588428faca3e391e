from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from tests.farm_in_memory import FarmInMemory

from corral.farm.application.add_account import AccountWithSecret
from corral.farm.application.give_password import HowToSignIn
from corral.farm.application.grant_role import WantedRole
from corral.farm.application.sign_in import SignIn
from corral.farm.domain.access.access_token import scopes_of
from corral.farm.domain.access.account import AccountName, account_name, group_name
from corral.farm.domain.access.audit import SECRET, AuditFilter
from corral.farm.domain.access.errors import (
    AccessTokenExpiredError,
    AccessTokenNameTakenError,
    AccessTokenUnknownError,
    AccountChangedError,
    AccountUnknownError,
    GroupChangedError,
    LastAdministratorError,
    OneTimeSecretExpiredError,
    PasswordMustChangeError,
    RoleExtentError,
    RoleGrantedError,
    RoleNotGrantedError,
    ScopeUnknownError,
    SignInTooOftenError,
    SignInWrongError,
    TokenLifeError,
)
from corral.farm.domain.access.password import Password, PasswordUnfitError
from corral.farm.domain.access.permission import TABLE, Permission, Role
from corral.farm.domain.access.token import Token, TokenWrongError
from corral.farm.domain.estate.site import site_name

if TYPE_CHECKING:
    from collections.abc import Callable

ADMIN = account_name("admin")
ADA = account_name("ada")
GOOD = Password("correct horse battery")
BETTER = Password("staple of the battery")
HOME = "192.0.2.1"


def secret_of(given: AccountWithSecret) -> Password:
    assert given.secret is not None
    return given.secret


@pytest.fixture
def ada(farm: FarmInMemory) -> AccountName:
    return farm.application.add_account(ADA, GOOD).account.name


def make_administrator(farm: FarmInMemory, name: AccountName) -> None:
    farm.application.grant_role(WantedRole(Role.FARM_ADMINISTRATOR, account=name))


def test_the_first_administrator_chooses_a_password_with_a_secret_that_works_once(
    farm: FarmInMemory,
) -> None:
    sign_in, secret = farm.application.sign_in, secret_of(farm.administrator)
    with pytest.raises(PasswordMustChangeError):
        sign_in(ADMIN, secret, HOME)
    with pytest.raises(PasswordMustChangeError):
        sign_in(ADMIN, secret, HOME, secret)
    signed = sign_in(ADMIN, secret, HOME, GOOD)
    rights = farm.application.recognise_caller(signed.secret, HOME).rights
    assert all(rights.allow(permission) for permission in Permission)
    with pytest.raises(SignInWrongError):
        sign_in(ADMIN, secret, HOME, BETTER)
    assert sign_in(ADMIN, GOOD, HOME).account.name == ADMIN


def test_a_one_time_secret_that_was_forgotten_is_worth_nothing(farm: FarmInMemory) -> None:
    farm.wait(8 * 24 * 3600)
    with pytest.raises(OneTimeSecretExpiredError):
        farm.application.sign_in(ADMIN, secret_of(farm.administrator), HOME, GOOD)
    fresh = secret_of(farm.application.set_password(ADMIN))
    assert farm.application.sign_in(ADMIN, fresh, HOME, GOOD).account.name == ADMIN


def test_an_unfit_password_does_not_use_the_secret_up(farm: FarmInMemory) -> None:
    secret = secret_of(farm.administrator)
    with pytest.raises(PasswordUnfitError):
        farm.application.sign_in(ADMIN, secret, HOME, Password("short"))
    farm.application.sign_in(ADMIN, secret, HOME, GOOD)


def test_whatever_is_wrong_with_a_sign_in_the_same_is_said(
    farm: FarmInMemory, ada: AccountName
) -> None:
    app = farm.application
    app.add_account(account_name("robot"), HowToSignIn.NOT_AT_ALL)
    app.add_account(account_name("gone"), GOOD)
    app.change_account(account_name("gone"), disabled=True)
    for name, password in ((ada, BETTER), ("nobody", GOOD), ("robot", GOOD), ("gone", GOOD)):
        with pytest.raises(SignInWrongError):
            app.sign_in(account_name(name), password, HOME)


def test_refused_sign_ins_are_audited_without_what_was_typed(farm: FarmInMemory) -> None:
    with pytest.raises(SignInWrongError):
        farm.application.sign_in(account_name("my-password-in-the-wrong-field"), GOOD, HOME)
    with pytest.raises(SignInWrongError):
        farm.application.sign_in(ADMIN, GOOD, HOME)
    refused = farm.application.list_audit(AuditFilter(what="account.sign-in-refused"))
    assert [one.entry.thing for one in refused] == ["admin", "(no such account)"]
    assert {one.entry.actor.where for one in refused} == {HOME}
    assert "wrong-field" not in repr(farm.application.list_audit(AuditFilter()))


def test_guessing_is_slowed_down_and_does_not_lock_others_out(
    farm: FarmInMemory, ada: AccountName
) -> None:
    sign_in = farm.application.sign_in
    for _ in range(5):
        with pytest.raises(SignInWrongError):
            sign_in(ada, BETTER, "198.51.100.9")
    with pytest.raises(SignInTooOftenError):
        sign_in(ada, GOOD, "198.51.100.9")
    assert sign_in(ada, GOOD, HOME).account.name == ada
    farm.wait(30)
    assert sign_in(ada, GOOD, "198.51.100.9").account.name == ada


def test_a_session_ends_by_itself_and_at_once_when_the_door_is_locked(
    farm: FarmInMemory, ada: AccountName
) -> None:
    app = farm.application
    for end in (
        lambda: farm.wait(13 * 3600),
        lambda: app.set_password(ada, GOOD),
        lambda: app.change_account(ada, disabled=True),
    ):
        session = app.sign_in(ada, GOOD, HOME).secret
        assert app.recognise_caller(session, HOME).actor.name == "ada"
        end()
        with pytest.raises(AccessTokenExpiredError):
            app.recognise_caller(session, HOME)


def test_somebody_unknown_is_not_recognised(farm: FarmInMemory) -> None:
    with pytest.raises(TokenWrongError):
        farm.application.recognise_caller(Token(bytes(32)), HOME)


def test_one_changes_ones_own_password_by_knowing_the_one_before(
    farm: FarmInMemory, ada: AccountName
) -> None:
    app = farm.application
    account = app.show_account(ada).account
    with pytest.raises(SignInWrongError):
        app.change_own_password(account.id, BETTER, BETTER)
    app.change_own_password(account.id, GOOD, BETTER)
    with pytest.raises(SignInWrongError):
        app.sign_in(ada, GOOD, HOME)
    app.sign_in(ada, BETTER, HOME)


def test_roles_come_from_the_account_and_from_its_groups(
    farm: FarmInMemory, ada: AccountName
) -> None:
    app = farm.application
    session = app.sign_in(ada, GOOD, HOME).secret

    def may(permission: Permission) -> bool:
        return app.recognise_caller(session, HOME).rights.allow(permission)

    assert not may(Permission.FARM_READ)
    team = app.add_group(group_name("team"), [ada]).name
    app.grant_role(WantedRole(Role.FARM_OPERATOR, group=team))
    assert may(Permission.REPLICA_CHANGE)
    assert not may(Permission.DEVICE_REMOVE)
    app.grant_role(WantedRole(Role.SITE_ADMINISTRATOR, account=ada, site=site_name("default")))
    assert may(Permission.DEVICE_REMOVE)
    view = app.show_account(ada)
    assert [(one.role, one.over) for one in view.roles] == [
        (Role.SITE_ADMINISTRATOR, "default"),
        (Role.FARM_OPERATOR, "farm"),
    ]
    app.change_group(team, remove=[ada])
    assert not may(Permission.REPLICA_CHANGE)


def test_a_role_is_granted_once_over_what_its_name_says(
    farm: FarmInMemory, ada: AccountName
) -> None:
    app, default = farm.application, site_name("default")
    for wanted in (
        WantedRole(Role.FARM_READER, account=ada, site=default),
        WantedRole(Role.SITE_READER, account=ada),
        WantedRole(Role.COLLECTION_READER, account=ada, site=default),
    ):
        with pytest.raises(RoleExtentError):
            app.grant_role(wanted)
    wanted = WantedRole(Role.SITE_READER, account=ada, site=default)
    app.grant_role(wanted)
    with pytest.raises(RoleGrantedError):
        app.grant_role(wanted)
    app.revoke_role(wanted)
    with pytest.raises(RoleNotGrantedError):
        app.revoke_role(wanted)


def test_the_last_administrator_cannot_be_lost_in_any_way(
    farm: FarmInMemory, ada: AccountName
) -> None:
    app = farm.application
    wanted = WantedRole(Role.FARM_ADMINISTRATOR, account=ADMIN)
    team = app.add_group(group_name("team"), [ada]).name
    losses: list[Callable[[], object]] = [
        lambda: app.remove_account(ADMIN),
        lambda: app.change_account(ADMIN, disabled=True),
        lambda: app.set_password(ADMIN, HowToSignIn.NOT_AT_ALL),
        lambda: app.revoke_role(wanted),
    ]
    for lose in losses:
        with pytest.raises(LastAdministratorError):
            lose()
    app.grant_role(WantedRole(Role.FARM_ADMINISTRATOR, group=team))
    app.revoke_role(wanted)
    losses = [
        lambda: app.remove_account(ada),
        lambda: app.change_group(team, remove=[ada]),
        lambda: app.remove_group(team),
    ]
    for lose in losses:
        with pytest.raises(LastAdministratorError):
            lose()
    assert app.show_account(ada).account.disabled is False


def test_two_who_change_one_thing(farm: FarmInMemory, ada: AccountName) -> None:
    app = farm.application
    team = app.add_group(group_name("team")).name
    app.change_account(ada, description="first", revision=1)
    with pytest.raises(AccountChangedError):
        app.change_account(ada, description="second", revision=1)
    app.change_group(team, description="first", revision=1)
    with pytest.raises(GroupChangedError):
        app.change_group(team, description="second", revision=1)


def test_a_token_may_what_its_scopes_say_and_its_account_may(
    farm: FarmInMemory, ada: AccountName
) -> None:
    app = farm.application
    app.grant_role(WantedRole(Role.FARM_OPERATOR, account=ada))
    issued = app.issue_token(ada, "ci", scopes_of(["server.*", "account.change"]))
    caller = app.recognise_caller(issued.secret, HOME)
    assert caller.actor.name == "ci of ada"
    assert caller.rights.allow(Permission.SERVER_DRAIN)
    assert not caller.rights.allow(Permission.STORE_VERIFY)
    assert not caller.rights.allow(Permission.ACCOUNT_CHANGE)
    assert not caller.rights.allow(Permission.SELF)
    app.set_password(ada, BETTER)
    assert app.recognise_caller(issued.secret, HOME).actor.name == "ci of ada"
    farm.wait(91 * 24 * 3600)
    with pytest.raises(AccessTokenExpiredError):
        app.recognise_caller(issued.secret, HOME)


def test_a_revoked_token_opens_nothing_and_frees_its_name(
    farm: FarmInMemory, ada: AccountName
) -> None:
    app, reads = farm.application, scopes_of(["*.read"])
    issued = app.issue_token(ada, "ci", reads)
    with pytest.raises(AccessTokenNameTakenError):
        app.issue_token(ada, "ci", reads)
    app.revoke_token("ci", ada)
    with pytest.raises(AccessTokenExpiredError):
        app.recognise_caller(issued.secret, HOME)
    again = app.issue_token(ada, "ci", reads)
    assert app.revoke_token("ci", ada).id == again.kept.id
    assert [view.works for view in app.list_tokens(ada)] == [False, False]
    with pytest.raises(AccessTokenUnknownError):
        app.revoke_token("ci")
    with pytest.raises(AccountUnknownError):
        app.list_tokens(account_name("nobody"))


@pytest.mark.parametrize("days", [0, -1, 401])
def test_a_token_lives_neither_too_short_nor_too_long(
    farm: FarmInMemory, ada: AccountName, days: int
) -> None:
    until = farm.ports.clock.now() + timedelta(days=days)
    with pytest.raises(TokenLifeError):
        farm.application.issue_token(ada, "ci", scopes_of(["*"]), until)


def test_scopes() -> None:
    assert scopes_of(["*"]) == set(TABLE)
    assert scopes_of(["server.drain"]) == {Permission.SERVER_DRAIN}
    assert Permission.SERVER_ADD in scopes_of(["server.*"])
    assert {one.partition(".")[2] for one in scopes_of(["*.read"])} == {"read"}
    for wrong in ("", "serve", "server.", ".read", "self", "server.drain.now"):
        with pytest.raises(ScopeUnknownError):
            scopes_of([wrong])
    with pytest.raises(ScopeUnknownError):
        scopes_of([])


@pytest.mark.parametrize("text", ["tiny", "x" * 257, "aaaaaaaaaaaaaa", "ada-ada-ada1"])
def test_passwords_that_will_not_do(farm: FarmInMemory, text: str) -> None:
    with pytest.raises(PasswordUnfitError) as refused:
        farm.application.add_account(ADA, Password(text))
    assert text not in refused.value.message


def test_no_secret_of_an_account_is_in_the_audit_log(farm: FarmInMemory, ada: AccountName) -> None:
    app = farm.application
    session = app.sign_in(ada, GOOD, HOME).secret
    issued = app.issue_token(ada, "ci", scopes_of(["*"])).secret
    app.set_password(ada)
    entries = [one.entry for one in app.list_audit(AuditFilter(), 1000)]
    added = next(one for one in entries if one.what == "account.add" and one.thing == ada)
    assert added.after is not None
    assert added.after["password"] == SECRET
    told = repr(entries)
    for secret in (session, issued):
        assert secret.reveal() not in told
        assert secret.digest().value.hex() not in told
    assert GOOD.reveal() not in told


class Company:
    """A directory with one person in it."""

    def vouches(self, name: AccountName, password: Password) -> bool:
        return (name, password.reveal()) == ("eve", GOOD.reveal())


def test_a_directory_vouches_for_accounts_that_have_no_password_here(farm: FarmInMemory) -> None:
    ports, app = farm.ports, farm.application
    sign_in = SignIn(
        ports.transactions,
        ports.passwords,
        ports.ids,
        ports.tokens,
        ports.clock,
        attempts=ports.attempts,
        directories=[Company()],
    )
    for name in ("eve", "robot"):
        app.add_account(account_name(name), HowToSignIn.NOT_AT_ALL)
    assert sign_in(account_name("eve"), GOOD, HOME).account.name == "eve"
    for name, password in (("eve", BETTER), ("robot", GOOD), ("stranger", GOOD)):
        with pytest.raises(SignInWrongError):
            sign_in(account_name(name), password, HOME)
