from dataclasses import replace
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from corral.farm.domain.estate.replication import (
    Copy,
    Member,
    Stays,
    Surplus,
    surplus,
    wanted_holders,
)
from corral.farm.domain.estate.server import ServerId
from corral.farm.domain.estate.store import FolderId
from corral.farm.domain.image.root import RootHash

ROOTS = st.binary(min_size=32, max_size=32).map(lambda digest: RootHash(digest.hex()))
FOLDERS = [FolderId(UUID(int=number)) for number in range(1, 9)]


# A whole store is drawn for each example.
STORE_WIDE = settings(max_examples=min(2_500, settings().max_examples))


@st.composite
def copies(draw: st.DrawFn) -> list[Copy]:
    folders = draw(st.lists(st.sampled_from(FOLDERS), unique=True))
    return [
        Copy(
            folder,
            is_sure=draw(st.booleans()),
            is_heard=draw(st.booleans()),
            is_in_use=draw(st.booleans()),
            is_by_hand=draw(st.booleans()),
            is_leaving=draw(st.booleans()),
        )
        for folder in folders
    ]


def going(store: list[Copy], root: RootHash, wanted: int | None) -> list[FolderId]:
    return [one.folder for one in surplus(store, root, wanted) if one.stays is Stays.GOES]


def sure(store: list[Copy]) -> int:
    return sum(one.is_sure and not one.is_leaving for one in store)


@STORE_WIDE
@given(copies(), ROOTS, st.integers(1, 9))
def test_what_goes_is_unused_and_leaves_enough_that_are_sure(
    store: list[Copy], root: RootHash, wanted: int
) -> None:
    gone = going(store, root, wanted)
    assert len(gone) <= 1
    for folder in gone:
        (leaver,) = (one for one in store if one.folder == folder)
        others = [one for one in store if one.folder != folder]
        assert sure(others) >= wanted
        assert leaver.is_heard
        assert not leaver.is_in_use
        assert not leaver.is_by_hand
        assert not any(one.is_leaving for one in store)


@STORE_WIDE
@given(copies(), ROOTS, st.integers(1, 9))
def test_going_ends_never_below_the_policy_and_nothing_comes_back(
    store: list[Copy], root: RootHash, wanted: int
) -> None:
    store = [replace(one, is_leaving=False) for one in store]
    before = sure(store)
    for _ in range(len(store) + 1):
        gone = going(store, root, wanted)
        if not gone:
            break
        # Told to go: nothing else does until it has.
        told = [replace(one, is_leaving=one.folder in gone) for one in store]
        assert not going(told, root, wanted)
        store = [one for one in store if one.folder not in gone]
        assert sure(store) >= min(before, wanted)
        # What went is not wanted again where it was.
        members = [Member(ServerId(folder), folder) for folder in FOLDERS]
        holders = {ServerId(one.folder) for one in store}
        assert not wanted_holders(members, holders, root, wanted) & set(map(ServerId, gone))
    else:
        raise AssertionError(store)


@STORE_WIDE
@given(copies(), ROOTS, st.integers(1, 9))
def test_when_nothing_speaks_against_it_as_many_are_left_as_the_policy_says(
    store: list[Copy], root: RootHash, wanted: int
) -> None:
    store = [Copy(one.folder, is_sure=True, is_by_hand=one.is_by_hand) for one in store]
    by_hand = sum(one.is_by_hand for one in store)
    expected = by_hand + min(wanted, len(store) - by_hand)
    while gone := going(store, root, wanted):
        store = [one for one in store if one.folder not in gone]
    assert len(store) == expected
    assert not surplus(store, root, wanted)


@STORE_WIDE
@given(copies(), ROOTS)
def test_a_policy_of_all_servers_lets_nothing_go(store: list[Copy], root: RootHash) -> None:
    assert not surplus(store, root, None)


@STORE_WIDE
@given(copies(), ROOTS, st.integers(1, 9))
def test_no_more_is_called_surplus_than_there_is(
    store: list[Copy], root: RootHash, wanted: int
) -> None:
    placed = [one for one in store if not (one.is_by_hand or one.is_leaving)]
    assert len(surplus(store, root, wanted)) == max(0, len(placed) - wanted)


def test_reason_is_said() -> None:
    root = RootHash("ab" * 32)
    first, second, third = FOLDERS[:3]
    said = surplus(
        [
            Copy(first, is_sure=True, is_in_use=True),
            Copy(second, is_sure=True, is_heard=False),
            Copy(third, is_sure=False),
        ],
        root,
        1,
    )
    # The one that lacks something can go; of the others one is enough.
    assert said[0] == Surplus(third, Stays.GOES)
    assert said[1].stays in {Stays.IN_USE, Stays.SILENT}
