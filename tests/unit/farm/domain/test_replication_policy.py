from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corral.farm.domain.estate.replication import (
    Bandwidth,
    CopiesInvalidError,
    Member,
    RateInvalidError,
    Window,
    WindowInvalidError,
    ZoneUnknownError,
    bytes_a_second,
    copies,
    wanted_holders,
)
from corral.farm.domain.estate.server import ServerId
from corral.farm.domain.estate.store import FolderId
from corral.farm.domain.image.root import RootHash

ROOTS = st.binary(min_size=32, max_size=32).map(lambda digest: RootHash(digest.hex()))


@st.composite
def stores(draw: st.DrawFn) -> tuple[list[Member], set[ServerId]]:
    """The servers of a store, some of which share folders, and those that hold a version."""
    count = draw(st.integers(1, 12))
    members = [
        Member(
            ServerId(UUID(int=number + 1)),
            FolderId(UUID(int=draw(st.integers(1, 8)))),
            takes_copies=draw(st.booleans()),
        )
        for number in range(count)
    ]
    holders = draw(st.sets(st.sampled_from([m.server for m in members]), min_size=1))
    return members, holders


@given(stores(), ROOTS, st.none() | st.integers(1, 14))
def test_what_is_held_stays_and_the_answer_is_stable(
    store: tuple[list[Member], set[ServerId]], root: RootHash, wanted: int | None
) -> None:
    members, holders = store
    chosen = wanted_holders(members, holders, root, wanted)
    assert holders <= chosen
    # Having done what was asked for, nothing more is to be done, whatever the order.
    assert wanted_holders(list(reversed(members)), chosen, root, wanted) == chosen


@given(stores(), ROOTS, st.integers(1, 14))
def test_there_are_as_many_copies_as_wanted_and_no_more(
    store: tuple[list[Member], set[ServerId]], root: RootHash, wanted: int
) -> None:
    members, holders = store
    folder_of = {member.server: member.folder for member in members}
    held = {folder_of[server] for server in holders}
    usable = held | {member.folder for member in members if member.takes_copies}
    chosen = {folder_of[server] for server in wanted_holders(members, holders, root, wanted)}
    assert len(chosen) == max(len(held), min(wanted, len(usable)))


@given(stores(), ROOTS, st.integers(1, 14))
def test_another_server_moves_no_copy(
    store: tuple[list[Member], set[ServerId]], root: RootHash, wanted: int
) -> None:
    members, holders = store
    before = wanted_holders(members, holders, root, wanted)
    newcomer = Member(ServerId(UUID(int=99)), FolderId(UUID(int=99)))
    after = wanted_holders([*members, newcomer], before, root, wanted)
    assert before <= after
    assert after - before <= {newcomer.server}


def test_versions_spread_over_the_servers() -> None:
    members = [Member(ServerId(UUID(int=n)), FolderId(UUID(int=n))) for n in range(1, 11)]
    first = members[0].server
    counts = dict.fromkeys((member.server for member in members), 0)
    for number in range(1000):
        root = RootHash(f"{number:064x}")
        for server in wanted_holders(members, {first}, root, 2) - {first}:
            counts[server] += 1
    assert all(60 < count < 170 for server, count in counts.items() if server != first), counts


def test_servers_of_one_folder_have_one_copy_between_them() -> None:
    one, other = (Member(ServerId(UUID(int=n)), FolderId(UUID(int=7))) for n in (1, 2))
    far = Member(ServerId(UUID(int=3)), FolderId(UUID(int=8)))
    root = RootHash("ab" * 32)
    chosen = wanted_holders([one, other, far], {one.server}, root, 1)
    assert chosen == {one.server, other.server}


def test_rule_of_the_hour_holds_in_the_zone_of_the_site() -> None:
    windows = (Window.parse("08:00-18:00=2M"), Window.parse("22:00-06:00=100M"))
    bandwidth = Bandwidth(bytes_a_second("10M"), windows, "Europe/Paris")

    def rate(hour: int, minute: int = 0) -> int | None:
        return bandwidth.rate_at(datetime(2026, 7, 1, hour, minute, tzinfo=UTC))

    # Paris is two hours ahead in July.
    assert rate(5, 59) == 10 << 20
    assert rate(6) == 2 << 20
    assert rate(15, 59) == 2 << 20
    assert rate(16) == 10 << 20
    assert rate(20) == 100 << 20
    assert rate(3, 59) == 100 << 20
    assert rate(4) == 10 << 20
    assert Bandwidth().rate_at(datetime(2026, 7, 1, tzinfo=UTC)) is None


@pytest.mark.parametrize("text", ["", "0", "-1", "2.5", "all!", "1001", "²"])
def test_copies_that_make_no_sense_are_refused(text: str) -> None:
    with pytest.raises(CopiesInvalidError, match="'all'"):
        copies(text)


def test_copies_are_all_or_a_number() -> None:
    assert copies("all") is None
    assert copies("2") == 2


@pytest.mark.parametrize("text", ["", "20", "20m", "M", "-1M", "1T", "²M"])
def test_rates_that_make_no_sense_are_refused(text: str) -> None:
    with pytest.raises(RateInvalidError, match="20M"):
        bytes_a_second(text)


@pytest.mark.parametrize("text", ["8-18=2M", "08:00-18:00", "25:00-26:00=2M", "08:00-08:00=2M"])
def test_windows_that_make_no_sense_are_refused(text: str) -> None:
    with pytest.raises(WindowInvalidError, match="08:00-18:00=2M"):
        Window.parse(text)


@pytest.mark.parametrize("other", ["09:00-10:00=1M", "17:59-20:00=1M", "20:00-09:00=1M"])
def test_windows_that_overlap_are_refused(other: str) -> None:
    with pytest.raises(WindowInvalidError, match="overlaps"):
        Bandwidth(None, (Window.parse("08:00-18:00=2M"), Window.parse(other)))


@pytest.mark.parametrize("zone", ["Mars/Olympus", "", "../etc/passwd"])
def test_zone_that_nobody_knows_is_refused(zone: str) -> None:
    with pytest.raises(ZoneUnknownError):
        Bandwidth(zone=zone)
