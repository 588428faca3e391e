from itertools import product
from uuid import UUID

import pytest

from corral.farm.domain.access.errors import PersonNeededError
from corral.farm.domain.access.permission import (
    EVERYWHERE,
    READ_ONLY,
    TABLE,
    Extent,
    Grant,
    Level,
    Permission,
    PermissionMissingError,
    Place,
    Rights,
    Role,
)

HERE, THERE = UUID(int=1), UUID(int=2)
OURS, THEIRS = UUID(int=11), UUID(int=12)
IN_OURS = Place(HERE, OURS)
P = Permission


def granted(role: Role) -> Rights:
    match role.extent:
        case Extent.FARM:
            return Rights(frozenset({Grant(role)}))
        case Extent.SITE:
            return Rights(frozenset({Grant(role, site=HERE)}))
        case Extent.COLLECTION:
            return Rights(frozenset({Grant(role, collection=OURS)}))


def test_every_permission_has_a_row() -> None:
    assert set(TABLE) == set(Permission) - {P.SELF}


def test_there_is_a_role_of_every_level_over_every_extent() -> None:
    assert {(role.extent, role.level) for role in Role} == set(product(Extent, Level))


@pytest.mark.parametrize("permission", TABLE)
def test_a_farm_administrator_may_do_everything_everywhere(permission: Permission) -> None:
    rights = granted(Role.FARM_ADMINISTRATOR)
    for place in (EVERYWHERE, IN_OURS, Place(THERE, THEIRS)):
        assert rights.allow(permission, place)


@pytest.mark.parametrize("permission", TABLE)
def test_a_wider_extent_or_a_higher_level_never_allows_less(permission: Permission) -> None:
    order = (Extent.COLLECTION, Extent.SITE, Extent.FARM)
    for lower, higher in product(Role, Role):
        is_wider = order.index(higher.extent) >= order.index(lower.extent)
        if is_wider and higher.level >= lower.level and granted(lower).allow(permission, IN_OURS):
            assert granted(higher).allow(permission, IN_OURS), (lower, higher)


@pytest.mark.parametrize("permission", list(TABLE))
def test_readers_change_nothing(permission: Permission) -> None:
    reads = permission.endswith(".read") or permission is P.FARM_CHECK
    for role in (Role.FARM_READER, Role.SITE_READER, Role.COLLECTION_READER):
        assert reads or not granted(role).allow(permission, IN_OURS)


@pytest.mark.parametrize("permission", [p for p in TABLE if not p.endswith(".read")])
def test_who_has_a_site_changes_things_of_that_site_only(permission: Permission) -> None:
    rights = granted(Role.SITE_ADMINISTRATOR)
    assert not rights.allow(permission, Place(THERE, THEIRS))
    assert not rights.allow(permission, EVERYWHERE)


def test_who_has_a_collection_changes_its_devices_only() -> None:
    rights = granted(Role.COLLECTION_ADMINISTRATOR)
    assert rights.allow(P.DEVICE_CHANGE, IN_OURS)
    assert not rights.allow(P.DEVICE_CHANGE, Place(HERE, THEIRS))
    assert not rights.allow(P.SERVER_CHANGE, IN_OURS)
    assert rights.allow(P.IMAGE_READ, EVERYWHERE)


def test_operators_run_and_do_not_configure() -> None:
    rights = granted(Role.SITE_OPERATOR)
    assert rights.allow(P.SERVER_DRAIN, IN_OURS)
    assert rights.allow(P.DEVICE_ASSIGN, IN_OURS)
    assert not rights.allow(P.SERVER_CHANGE, IN_OURS)
    assert not rights.allow(P.DEVICE_REMOVE, IN_OURS)


def test_a_token_allows_what_its_owner_may_and_its_scopes_name() -> None:
    grants = granted(Role.SITE_OPERATOR).grants
    rights = Rights(grants, frozenset({P.SERVER_DRAIN, P.ACCOUNT_CHANGE}))
    assert rights.allow(P.SERVER_DRAIN, IN_OURS)
    assert not rights.allow(P.SERVER_READ, IN_OURS)
    assert not rights.allow(P.ACCOUNT_CHANGE, EVERYWHERE)


def test_what_is_lacking_is_said() -> None:
    site = granted(Role.SITE_ADMINISTRATOR)
    for rights, permission, said in (
        (READ_ONLY, P.SERVER_DRAIN, "none of the caller's roles"),
        (site, P.SERVER_DRAIN, "over another place"),
        (Rights(site.grants, frozenset()), P.SERVER_DRAIN, "scopes do not hold it"),
    ):
        with pytest.raises(PermissionMissingError, match=said):
            rights.demand(permission, Place(THERE))


def test_without_roles_nothing_is_allowed() -> None:
    assert not any(Rights(frozenset()).allow(permission) for permission in Permission)


def test_only_a_person_who_signed_in_has_an_account_of_their_own() -> None:
    assert Rights(frozenset(), None, is_person=True).allow(P.SELF)
    for rights in (READ_ONLY, granted(Role.FARM_ADMINISTRATOR)):
        with pytest.raises(PersonNeededError):
            rights.demand(P.SELF)
