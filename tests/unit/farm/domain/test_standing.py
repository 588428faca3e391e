from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.contract.things import NOW, image, later, replica, root, server, version

from corral.farm.domain.image.choice import version_to_start
from corral.farm.domain.image.errors import VersionTransitionError
from corral.farm.domain.image.release import Held, release_wait
from corral.farm.domain.image.replica import Replica, ReplicaState
from corral.farm.domain.image.standing import (
    TRANSITIONS,
    Standing,
    VersionEvent,
    allowed_events,
    next_standing,
)
from corral.farm.domain.image.version import Access, Version, VersionNumber, VersionState

DEBIAN = image("debian", 1)
S, E = Standing, VersionEvent


@pytest.mark.parametrize("standing", Standing)
@pytest.mark.parametrize("event", VersionEvent)
def test_versions_move_only_as_the_table_says(standing: Standing, event: VersionEvent) -> None:
    if (standing, event) in TRANSITIONS:
        assert next_standing(standing, event) is TRANSITIONS[standing, event]
        return
    with pytest.raises(VersionTransitionError, match="cannot take") as refusal:
        next_standing(standing, event)
    assert f"'{standing.value}' cannot take '{event.value}'" in refusal.value.message
    for possible in allowed_events(standing):
        assert possible in refusal.value.message


def test_deleted_is_the_end_and_nothing_but_a_delete_leads_there() -> None:
    assert allowed_events(S.DELETED) == ()
    assert {before for (before, _), after in TRANSITIONS.items() if after is S.DELETED} == {
        S.DELETING
    }
    assert allowed_events(S.DELETING) == (E.DELETE, E.STORES_CLEARED)


def test_nothing_is_in_production_that_did_not_wait_for_its_release() -> None:
    assert {before for (before, _), after in TRANSITIONS.items() if after is S.PRODUCTION} == {
        S.PENDING
    }


def test_every_standing_can_be_reached_and_left_by_a_delete() -> None:
    reached = {S.MAINTENANCE}
    for _ in Standing:
        reached |= {after for (before, _), after in TRANSITIONS.items() if before in reached}
    assert reached == set(Standing)
    assert all((standing, E.DELETE) in TRANSITIONS for standing in set(Standing) - {S.DELETED})


def standing_as(standing: Standing, number: int = 1) -> Version:
    """Give a version that stands there, led there by events of the table alone."""
    start = Version(
        **{**vars(version(DEBIAN, number, number)), "access": Access.MAINTENANCE},
    )
    match standing:
        case S.MAINTENANCE:
            return start
        case S.TEST:
            return start.after(E.PROMOTE_TO_TEST)
        case S.PENDING:
            return start.promoted(None)
        case S.PRODUCTION:
            return start.promoted(None).released(NOW)
        case S.RETIRED:
            return start.after(E.RETIRE)
        case S.DELETING:
            return start.after(E.DELETE)
        case S.DELETED:
            return start.after(E.DELETE).after(E.STORES_CLEARED)


@pytest.mark.parametrize("standing", Standing)
@pytest.mark.parametrize("event", VersionEvent)
def test_a_version_goes_where_the_table_says(standing: Standing, event: VersionEvent) -> None:
    before = standing_as(standing)
    assert before.standing is standing
    if (standing, event) not in TRANSITIONS:
        with pytest.raises(VersionTransitionError):
            before.after(event)
    elif event is E.RELEASE:
        assert before.released(NOW).standing is TRANSITIONS[standing, event]
    else:
        assert before.after(event).standing is TRANSITIONS[standing, event]


def test_a_reverted_version_waits_for_a_release_of_its_own_again() -> None:
    released = standing_as(S.TEST).promoted(later(5)).released(later(5))
    again = released.after(E.REVERT_TO_TEST).promoted(None)
    assert (again.standing, again.release_at, again.released_at) == (S.PENDING, None, None)


@pytest.mark.parametrize("standing", [S.RETIRED, S.PRODUCTION, S.TEST, S.MAINTENANCE, S.PENDING])
def test_what_is_not_deleted_may_go_on_running(standing: Standing) -> None:
    assert standing_as(standing).is_published
    assert standing_as(S.DELETING).state is VersionState.DELETING
    assert not standing_as(S.DELETING).is_published


def held(name: str, *, done: int | None = None, problem: str = "") -> Held:
    found = replica(server(name, ord(name[-1])), 1)
    if done is None:
        return Held(server(name, 1).name, complete(found))
    state = ReplicaState.STUCK if problem else ReplicaState.FETCHING
    values = {**vars(found), "state": state, "done_bytes": done, "problem": problem}
    return Held(server(name, 1).name, Replica(**values))


def complete(found: Replica) -> Replica:
    return found.found_sound(NOW)


PENDING = version(DEBIAN, 1, 1)


def test_a_release_waits_for_its_date_and_for_every_server() -> None:
    size = PENDING.size_bytes
    dated = Version(**{**vars(PENDING), "release_at": later(60)})
    waits = release_wait(dated, [held("s1"), held("s2", done=size - 7)], NOW)
    assert waits.until == later(60)
    assert [(lack.server, lack.missing_bytes) for lack in waits.lacking] == [("s2", 7)]
    assert str(waits) == f"waits for {later(60).isoformat(timespec='minutes')}; s2 lacks 7 bytes"
    assert not release_wait(dated, [held("s1"), held("s2", done=size - 7)], later(60)).is_over
    assert not release_wait(dated, [held("s1"), held("s2")], later(59)).is_over
    assert release_wait(dated, [held("s1"), held("s2")], later(60)).is_over


def test_a_release_says_why_a_server_gets_no_further() -> None:
    waits = release_wait(PENDING, [held("s1"), held("s2", done=0, problem="no peer")], NOW)
    assert str(waits) == f"s2 lacks {PENDING.size_bytes} bytes (no peer)"


def test_what_nobody_holds_is_not_released() -> None:
    assert str(release_wait(PENDING, [], NOW)) == "no server holds it"


def test_the_instant_counts_and_not_how_it_is_written() -> None:
    cet = datetime.fromisoformat("2026-12-01T20:00+01:00")
    dated = Version(**{**vars(PENDING), "release_at": cet})
    assert release_wait(dated, [held("s1")], datetime(2026, 12, 1, 19, 0, tzinfo=UTC)).is_over
    early = datetime(2026, 12, 1, 18, 59, 59, tzinfo=UTC)
    assert not release_wait(dated, [held("s1")], early).is_over


def started(kind: Access, *standings: Standing, pinned: int | None = None) -> int | None:
    versions = [standing_as(one, number) for number, one in enumerate(standings, 1)]
    number = None if pinned is None else VersionNumber(pinned)
    chosen = version_to_start(versions, kind, number)
    return None if chosen is None else chosen.number


P, T, M = Access.PRODUCTION, Access.TEST, Access.MAINTENANCE


def test_production_devices_start_the_newest_that_is_released() -> None:
    assert started(P, S.PRODUCTION, S.PRODUCTION, S.PENDING, S.TEST, S.MAINTENANCE) == 2
    assert started(P, S.PRODUCTION, S.RETIRED, S.DELETING, S.DELETED) == 1
    assert started(P, S.PENDING, S.TEST) is None


def test_test_devices_go_ahead_of_production_and_never_behind_it() -> None:
    assert started(T, S.PRODUCTION, S.TEST, S.MAINTENANCE) == 2
    assert started(T, S.PRODUCTION, S.TEST, S.PENDING) == 3
    assert started(T, S.TEST, S.PRODUCTION) == 2
    assert started(T, S.TEST) == 1


def test_maintenance_devices_start_what_is_in_maintenance() -> None:
    assert started(M, S.PRODUCTION, S.TEST, S.MAINTENANCE) == 3
    assert started(M, S.PRODUCTION, S.MAINTENANCE, S.TEST) == 3
    assert started(M, S.MAINTENANCE, S.PRODUCTION) == 2


def test_a_pin_holds_devices_back_but_not_those_that_test() -> None:
    assert started(P, S.PRODUCTION, S.PRODUCTION, pinned=1) == 1
    assert started(T, S.PRODUCTION, S.PRODUCTION, pinned=1) == 1
    assert started(T, S.PRODUCTION, S.PRODUCTION, S.TEST, pinned=1) == 3
    # A pin of something that is not released counts for nothing: devices must not stay dark.
    assert started(P, S.PRODUCTION, S.RETIRED, pinned=2) == 1


@given(st.lists(st.sampled_from(Standing), max_size=8), st.none() | st.integers(1, 8))
def test_each_kind_starts_only_what_it_may_and_none_starts_older_than_production(
    standings: list[Standing], pinned: int | None
) -> None:
    may = {
        P: {S.PRODUCTION},
        T: {S.PRODUCTION, S.PENDING, S.TEST},
        M: {S.PRODUCTION, S.PENDING, S.TEST, S.MAINTENANCE},
    }
    usual = started(P, *standings, pinned=pinned)
    for kind, allowed in may.items():
        chosen = started(kind, *standings, pinned=pinned)
        if chosen is not None:
            assert standings[chosen - 1] in allowed
        assert (chosen or 0) >= (usual or 0)


def test_root_and_time_play_no_part_in_the_choice() -> None:
    first, second = standing_as(S.PRODUCTION, 1), standing_as(S.PRODUCTION, 2)
    older = Version(**{**vars(second), "published_at": NOW - timedelta(days=9), "root": root(0)})
    assert version_to_start([older, first], P) == older


def silent(name: str, hours: float, *, done: int | None = 0) -> Held:
    return replace(held(name, done=done), silent_since=NOW - timedelta(hours=hours))


def test_a_release_says_for_whom_it_waits_since_when() -> None:
    waits = release_wait(PENDING, [held("s1"), silent("s2", 2)], NOW)
    (lack,) = waits.silent
    assert lack.silent_since == NOW - timedelta(hours=2)
    assert f"(silent since {lack.silent_since:%Y-%m-%d %H:%M} UTC)" in str(waits)
    # One that reports goes on by itself.
    assert not release_wait(PENDING, [held("s1"), held("s2", done=0)], NOW).silent


def test_no_release_waits_for_a_server_that_is_lost_or_under_maintenance() -> None:
    in_maintenance = replace(held("s3", done=0), is_in_maintenance=True)
    for other in (silent("s2", 24.1), in_maintenance):
        waits = release_wait(PENDING, [held("s1"), other], NOW)
        assert waits.is_over
        assert [one.server for one in waits.excused] == [other.server]
    assert not release_wait(PENDING, [held("s1"), silent("s2", 23.9)], NOW).is_over


def test_a_version_is_not_released_where_all_that_hold_it_are_lost_or_in_maintenance() -> None:
    only = [replace(held("s1"), is_in_maintenance=True), silent("s2", 48, done=None)]
    waits = release_wait(PENDING, only, NOW)
    assert not waits.is_over
    assert str(waits).startswith("no server holds it (s1 is under maintenance, s2 is silent since")
