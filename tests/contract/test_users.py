from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from corral.farm.application.ports.records import Transactions
from corral.farm.domain.access.token import TokenDigest
from corral.farm.domain.computer.assignment import AssignmentId
from corral.farm.domain.computer.code import RegistrationCode, RegistrationCodeId
from corral.farm.domain.computer.errors import (
    AssignmentChangedError,
    AssignmentUnknownError,
    MachinePolicyChangedError,
    UserChangedError,
    UserGroupChangedError,
    UserGroupNameTakenError,
    UserGroupUnknownError,
    UserNameTakenError,
    UserUnknownError,
)
from corral.farm.domain.computer.policy import ImagePolicy, MachinePolicy
from corral.farm.domain.computer.user import UserGroupId, UserId, user_group_name, user_name
from corral.farm.domain.estate.collection import FIRST_COLLECTION
from tests.contract.things import NOW, image, later
from tests.unit.farm.domain.computers import assigned_to, group, user

if TYPE_CHECKING:
    from collections.abc import Callable

NOBODY = UUID(int=9)
ROGER, BERTHA = user("rboston", 2), replace(user("bsmith", 1), full_name="Bértha ✓")
SALES = replace(group("sales", 1, ROGER, BERTHA), description="été ✓")
DEBIAN, FEDORA = image("debian", 1), image("fedora", 2)


def test_users_come_back_as_they_were_added(transactions: Transactions) -> None:
    with transactions.writing() as records:
        for one in (ROGER, BERTHA):
            records.users.add(one)
        with pytest.raises(UserNameTakenError):
            records.users.add(replace(ROGER, id=UserId(NOBODY)))
    with transactions.reading() as records:
        assert list(records.users.all()) == [BERTHA, ROGER]
        assert records.users.get(ROGER.name) == ROGER
        assert records.users.with_id(BERTHA.id) == BERTHA
        assert records.users.find(user_name("nobody")) is None
        with pytest.raises(UserUnknownError):
            records.users.get(user_name("nobody"))
        with pytest.raises(UserUnknownError):
            records.users.with_id(UserId(NOBODY))


def test_second_of_two_who_change_a_user_is_told(transactions: Transactions) -> None:
    with transactions.writing() as records:
        records.users.add(ROGER)
        changed = records.users.change(ROGER, replace(ROGER, full_name="R. Boston"))
        assert changed == replace(ROGER, full_name="R. Boston", revision=2)
        with pytest.raises(UserChangedError):
            records.users.change(ROGER, replace(ROGER, description="lost"))
        with pytest.raises(UserUnknownError):
            records.users.change(BERTHA, BERTHA)
        assert records.users.get(ROGER.name) == changed


def test_user_groups_keep_their_members(transactions: Transactions) -> None:
    empty = group("empty", 2)
    with transactions.writing() as records:
        records.users.add(ROGER)
        records.users.add(BERTHA)
        records.user_groups.add(SALES)
        records.user_groups.add(empty)
        with pytest.raises(UserGroupNameTakenError):
            records.user_groups.add(replace(empty, id=UserGroupId(NOBODY)))
    with transactions.writing() as records:
        assert list(records.user_groups.all()) == [empty, SALES]
        alone = replace(SALES, members=frozenset({ROGER.id}))
        assert list(records.user_groups.of_user(ROGER.id)) == [alone]
        assert list(records.user_groups.of_user(UserId(NOBODY))) == []
        assert records.user_groups.find(user_group_name("nobody")) is None
        changed = records.user_groups.change(SALES, replace(SALES, members=frozenset({ROGER.id})))
        assert records.user_groups.get(SALES.name) == changed
        assert changed.revision == SALES.revision + 1
        with pytest.raises(UserGroupChangedError):
            records.user_groups.change(SALES, SALES)
        records.user_groups.remove(SALES.id)
        looks: list[Callable[[], object]] = [
            lambda: records.user_groups.get(SALES.name),
            lambda: records.user_groups.with_id(SALES.id),
            lambda: records.user_groups.change(changed, changed),
        ]
        for look in looks:
            with pytest.raises(UserGroupUnknownError):
                look()


def test_assignments_are_found_from_either_side(transactions: Transactions) -> None:
    to_roger = assigned_to(ROGER, DEBIAN, number=2)
    to_sales = assigned_to(SALES, FEDORA, number=1, staged=True)
    with transactions.writing() as records:
        for one in (DEBIAN, FEDORA):
            records.images.add(one)
        for made in (to_roger, to_sales):
            records.image_assignments.add(made)
    with transactions.writing() as records:
        found = records.image_assignments
        assert list(found.all()) == [to_sales, to_roger]
        assert found.find(DEBIAN.id, ROGER.id) == to_roger
        assert found.find(FEDORA.id, SALES.id) == to_sales
        assert found.find(FEDORA.id, ROGER.id) is None
        assert list(found.of_holders([ROGER.id])) == [to_roger]
        assert list(found.of_holders([ROGER.id, SALES.id, NOBODY])) == [to_sales, to_roger]
        assert list(found.of_holders([])) == []
        assert found.with_id(to_roger.id) == to_roger
        staged = found.change(to_roger, replace(to_roger, is_staged=True))
        assert staged == replace(to_roger, is_staged=True, revision=2)
        with pytest.raises(AssignmentChangedError):
            found.change(to_roger, to_roger)
        found.remove(to_roger.id)
        found.remove(to_roger.id)
        with pytest.raises(AssignmentChangedError):
            found.change(staged, staged)
        with pytest.raises(AssignmentUnknownError):
            found.with_id(AssignmentId(NOBODY))


def test_a_user_goes_with_all_that_is_their_own(transactions: Transactions) -> None:
    code = RegistrationCode(
        RegistrationCodeId(UUID(int=1)),
        TokenDigest(bytes(32)),
        NOW,
        later(60),
        FIRST_COLLECTION.id,
        ROGER.id,
    )
    with transactions.writing() as records:
        records.images.add(DEBIAN)
        for one in (ROGER, BERTHA):
            records.users.add(one)
        records.user_groups.add(SALES)
        records.image_assignments.add(assigned_to(ROGER, DEBIAN, number=1))
        records.image_assignments.add(assigned_to(SALES, DEBIAN, number=2))
        records.registration_codes.add(code)
        records.registration_codes.add(
            replace(
                code,
                id=RegistrationCodeId(UUID(int=2)),
                digest=TokenDigest(b"1" * 32),
                user_id=None,
            )
        )
        records.users.remove(ROGER.id)
    with transactions.writing() as records:
        assert list(records.users.all()) == [BERTHA]
        assert records.user_groups.get(SALES.name).members == {BERTHA.id}
        assert [one.holder for one in records.image_assignments.all()] == [SALES.id]
        assert [one.user_id for one in records.registration_codes.all()] == [None]
        records.user_groups.remove(SALES.id)
        assert list(records.image_assignments.all()) == []


def test_an_image_has_the_usual_policy_until_somebody_sets_another(
    transactions: Transactions,
) -> None:
    usual = ImagePolicy(DEBIAN.id)
    wanted = MachinePolicy(4096, 4, 1 << 43, 60, 3600, 86_400, starts_itself=True, is_disabled=True)
    with transactions.writing() as records:
        records.images.add(DEBIAN)
        assert records.image_policies.with_id(DEBIAN.id) == usual
        changed = records.image_policies.change(usual, replace(usual, policy=wanted))
    with transactions.writing() as records:
        assert records.image_policies.with_id(DEBIAN.id) == changed
        assert list(records.image_policies.all()) == [changed]
        assert changed == ImagePolicy(DEBIAN.id, wanted, 2)
        with pytest.raises(MachinePolicyChangedError):
            records.image_policies.change(usual, usual)
        again = records.image_policies.change(changed, usual)
        assert records.image_policies.with_id(DEBIAN.id) == again
