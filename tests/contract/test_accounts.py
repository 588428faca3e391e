from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from corral.farm.adapters.memory.passwords import MemoryPasswords
from corral.farm.adapters.passwords import Argon2Passwords
from corral.farm.application.ports.passwords import Passwords
from corral.farm.application.ports.records import Transactions
from corral.farm.domain.access.access_token import AccessToken, AccessTokenId, TokenKind
from corral.farm.domain.access.account import (
    Account,
    AccountId,
    Group,
    GroupId,
    RoleGrant,
    RoleGrantId,
    account_name,
    group_name,
)
from corral.farm.domain.access.errors import (
    AccessTokenUnknownError,
    AccountChangedError,
    AccountNameTakenError,
    AccountUnknownError,
    GroupChangedError,
    GroupNameTakenError,
    GroupUnknownError,
    RoleNotGrantedError,
)
from corral.farm.domain.access.password import KeptPassword, Password, PasswordDigest
from corral.farm.domain.access.permission import Grant, Permission, Role
from corral.farm.domain.access.token import TokenDigest
from tests.contract.things import NOW, later

if TYPE_CHECKING:
    from collections.abc import Callable

NOBODY = UUID(int=9)


def account(name: str, number: int) -> Account:
    return Account(
        id=AccountId(UUID(int=500 + number)),
        name=account_name(name),
        created_at=NOW,
        description="été ✓",
        password=KeptPassword(PasswordDigest("$argon2id$…"), later(60)),
    )


ADA, BOB = account("ada", 2), account("bob", 1)
TEAM = Group(GroupId(UUID(int=600)), group_name("team"), "all of us", frozenset({ADA.id, BOB.id}))


def granted(number: int, holder: UUID, grant: Grant) -> RoleGrant:
    return RoleGrant(RoleGrantId(UUID(int=700 + number)), holder, grant)


def token(number: int, of: Account, seconds: float = 0) -> AccessToken:
    return AccessToken(
        id=AccessTokenId(UUID(int=800 + number)),
        account_id=of.id,
        name="ci",
        kind=TokenKind.API,
        digest=TokenDigest(number.to_bytes(32, "big")),
        scopes=frozenset({Permission.SERVER_READ, Permission.SERVER_DRAIN}),
        created_at=later(seconds),
        expires_at=later(seconds + 100),
    )


def test_accounts_come_back_as_they_were_added(transactions: Transactions) -> None:
    bare = replace(account("carl", 3), password=None, disabled=True, signed_in_at=later(1))
    with transactions.writing() as records:
        for one in (BOB, bare, ADA):
            records.accounts.add(one)
        with pytest.raises(AccountNameTakenError):
            records.accounts.add(replace(ADA, id=AccountId(NOBODY)))
    with transactions.reading() as records:
        assert list(records.accounts.all()) == [ADA, BOB, bare]
        assert records.accounts.get(ADA.name) == ADA
        assert records.accounts.with_id(BOB.id) == BOB
        assert records.accounts.find(account_name("nobody")) is None
        with pytest.raises(AccountUnknownError):
            records.accounts.get(account_name("nobody"))
        with pytest.raises(AccountUnknownError):
            records.accounts.with_id(AccountId(NOBODY))


def test_second_of_two_who_change_an_account_is_told(transactions: Transactions) -> None:
    with transactions.writing() as records:
        records.accounts.add(ADA)
        changed = records.accounts.change(ADA, replace(ADA, disabled=True))
        assert changed == replace(ADA, disabled=True, revision=2)
        records.accounts.set_signed_in(ADA.id, later(5))
    with transactions.writing() as records:
        with pytest.raises(AccountChangedError):
            records.accounts.change(ADA, replace(ADA, description="lost"))
        with pytest.raises(AccountUnknownError):
            records.accounts.change(BOB, BOB)
        assert records.accounts.get(ADA.name) == replace(changed, signed_in_at=later(5))


def test_groups_keep_their_members(transactions: Transactions) -> None:
    empty = Group(GroupId(UUID(int=601)), group_name("empty"))
    with transactions.writing() as records:
        records.accounts.add(ADA)
        records.accounts.add(BOB)
        records.groups.add(TEAM)
        records.groups.add(empty)
        with pytest.raises(GroupNameTakenError):
            records.groups.add(replace(empty, id=GroupId(NOBODY)))
    with transactions.writing() as records:
        assert list(records.groups.all()) == [empty, TEAM]
        assert records.groups.find(group_name("nobody")) is None
        changed = records.groups.change(TEAM, replace(TEAM, members=frozenset({BOB.id})))
        assert records.groups.get(TEAM.name) == changed
        assert changed.revision == TEAM.revision + 1
        with pytest.raises(GroupChangedError):
            records.groups.change(TEAM, TEAM)
        records.groups.remove(TEAM.id)
        looks: list[Callable[[], object]] = [
            lambda: records.groups.get(TEAM.name),
            lambda: records.groups.with_id(TEAM.id),
            lambda: records.groups.change(changed, changed),
        ]
        for look in looks:
            with pytest.raises(GroupUnknownError):
                look()


def test_roles_are_kept_with_what_they_are_over(transactions: Transactions) -> None:
    grants = [
        granted(3, ADA.id, Grant(Role.SITE_OPERATOR, site=UUID(int=1))),
        granted(1, TEAM.id, Grant(Role.COLLECTION_READER, collection=UUID(int=2))),
        granted(2, ADA.id, Grant(Role.FARM_ADMINISTRATOR)),
    ]
    with transactions.writing() as records:
        for one in grants:
            records.role_grants.add(one)
    with transactions.writing() as records:
        assert list(records.role_grants.all()) == [grants[1], grants[2], grants[0]]
        assert records.role_grants.with_id(grants[0].id) == grants[0]
        records.role_grants.remove(grants[0].id)
        with pytest.raises(RoleNotGrantedError):
            records.role_grants.with_id(grants[0].id)


def test_tokens_are_found_by_their_digests(transactions: Transactions) -> None:
    session = replace(token(3, ADA, 1), kind=TokenKind.SESSION, scopes=None)
    with transactions.writing() as records:
        records.accounts.add(ADA)
        records.accounts.add(BOB)
        for one in (session, token(2, BOB), token(1, ADA)):
            records.access_tokens.add(one)
    with transactions.writing() as records:
        tokens = records.access_tokens
        assert list(tokens.all()) == [token(1, ADA), token(2, BOB), session]
        assert list(tokens.of_account(ADA.id)) == [token(1, ADA), session]
        assert tokens.with_digest(session.digest) == session
        assert tokens.with_digest(TokenDigest(bytes(32))) is None
        tokens.set_revoked(session.id, later(7))
        assert tokens.with_id(session.id) == replace(session, revoked_at=later(7))
        tokens.forget_expired(later(100.5))
        assert [one.id for one in tokens.all()] == [session.id]
        with pytest.raises(AccessTokenUnknownError):
            tokens.with_id(token(1, ADA).id)


def test_an_account_goes_with_all_that_is_its_own(transactions: Transactions) -> None:
    with transactions.writing() as records:
        records.accounts.add(ADA)
        records.accounts.add(BOB)
        records.groups.add(TEAM)
        records.role_grants.add(granted(1, ADA.id, Grant(Role.FARM_READER)))
        records.role_grants.add(granted(2, TEAM.id, Grant(Role.FARM_READER)))
        records.access_tokens.add(token(1, ADA))
        records.accounts.remove(ADA.id)
    with transactions.writing() as records:
        assert list(records.accounts.all()) == [BOB]
        assert records.groups.get(TEAM.name).members == {BOB.id}
        assert [one.holder for one in records.role_grants.all()] == [TEAM.id]
        assert list(records.access_tokens.all()) == []
        records.groups.remove(TEAM.id)
        assert list(records.role_grants.all()) == []


@pytest.fixture(params=["memory", "argon2"])
def passwords(request: pytest.FixtureRequest) -> Passwords:
    # The least that Argon2 does: how slow it is, is not what is tested.
    return MemoryPasswords() if request.param == "memory" else Argon2Passwords(1, 8, 1)


def test_a_digest_matches_its_password_only(passwords: Passwords) -> None:
    right, wrong = Password("correct horse battery"), Password("correct horse batterx")
    digest = passwords.digest(right)
    assert passwords.match(digest, right)
    assert not passwords.match(digest, wrong)
    assert not passwords.match(None, right)
    assert not passwords.match(PasswordDigest("damaged"), right)
    assert passwords.digest(right) != digest
    assert right.reveal() not in digest.text


def test_the_same_password_typed_another_way_matches(passwords: Passwords) -> None:
    assert passwords.match(passwords.digest(Password("\u00e9")), Password("e\u0301"))
