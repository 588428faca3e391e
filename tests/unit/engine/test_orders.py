"""Which orders are believed, and what is fetched, kept and offered because of them."""

from dataclasses import replace

import pytest
from tests.unit.engine.orders import COMPUTER, FARM, orders_with
from tests.unit.engine.world import ABILITIES, KEY, POLICY, order, version

from corral.engine.domain.fetching import (
    AtHand,
    Fetch,
    FetchState,
    Urgency,
    needs,
    next_fetch,
    offered_roots,
    state_of,
    unneeded_roots,
)
from corral.engine.domain.machine.record import Machine, Mode
from corral.engine.domain.machine.stage import Event
from corral.engine.domain.orders import (
    KitOrder,
    Orders,
    OrdersContradictError,
    OrdersMisdirectedError,
    OrdersOlderError,
    OrdersUnsignedError,
    Source,
    Window,
    allowed_rate,
    check_orders,
)
from corral.engine.domain.releases import ReleaseInvalidError, is_older, numbers_of
from corral.engine.domain.schedule import (
    LONGEST_RETRY_SECONDS,
    seconds_to_next,
    seconds_to_retry,
)

ORDERS = orders_with(KEY, Mode.SHARED, order(1))
NOTHING: frozenset[str] = frozenset()


def is_new(given: Orders, in_force: Orders | None, *, is_signed: bool = True) -> bool:
    return check_orders(given, in_force, farm=FARM, computer=COMPUTER, is_signed=is_signed)


def test_signed_orders_for_this_computer_are_followed_once() -> None:
    assert is_new(ORDERS, None)
    assert not is_new(ORDERS, ORDERS)
    assert is_new(replace(ORDERS, generation=2), ORDERS)
    assert is_new(replace(ORDERS, epoch=1, generation=1), replace(ORDERS, generation=9))


def test_new_tickets_need_no_new_generation() -> None:
    assert is_new(replace(ORDERS, tickets={version(1).root: "another"}), ORDERS)


@pytest.mark.parametrize(
    ("given", "in_force", "is_signed", "error"),
    [
        (ORDERS, None, False, OrdersUnsignedError),
        (replace(ORDERS, farm=COMPUTER), None, True, OrdersMisdirectedError),
        (replace(ORDERS, computer=FARM), None, True, OrdersMisdirectedError),
        (ORDERS, replace(ORDERS, generation=2), True, OrdersOlderError),
        (replace(ORDERS, generation=5), replace(ORDERS, epoch=1), True, OrdersOlderError),
        (replace(ORDERS, machines={}), ORDERS, True, OrdersContradictError),
        (replace(ORDERS, erases=True), ORDERS, True, OrdersContradictError),
    ],
)
def test_others_are_refused(
    given: Orders, in_force: Orders | None, *, is_signed: bool, error: type[Exception]
) -> None:
    with pytest.raises(error):
        is_new(given, in_force, is_signed=is_signed)


def test_a_window_may_go_past_midnight_and_the_first_that_fits_counts() -> None:
    windows = (Window(22 * 60, 6 * 60, 0), Window(0, 24 * 60, 5))
    orders = replace(ORDERS, rate=9, windows=windows)
    assert [allowed_rate(orders, hour * 60) for hour in (21, 22, 23, 0, 5, 6)] == [5, 0, 0, 0, 0, 5]
    assert allowed_rate(replace(orders, windows=()), 0) == 9


def machine(number: int | None, candidate: int | None = None) -> Machine:
    made = Machine(KEY, Mode.SHARED, POLICY)
    if number is not None:
        made = replace(
            made.moved(Event.ORDERED).moved(Event.TAKEN).moved(Event.PROVED),
            current=version(number),
            proven=version(number),
        )
    return made if candidate is None else made.ordered(version(candidate))


def test_the_engine_comes_before_the_image_and_what_runs_before_what_is_to_come() -> None:
    """S55."""
    kit = KitOrder("engine", "2.0", "ee" * 32, 10)
    orders = replace(orders_with(KEY, Mode.SHARED, order(2)), kit=kit)
    found = needs({KEY: machine(1, candidate=2)}, orders, ABILITIES)
    assert [(one.root, one.urgency) for one in found] == [
        (kit.root, Urgency.KIT),
        (version(1).root, Urgency.RUNNING),
        (version(2).root, Urgency.NEXT),
    ]
    tickets = {one.root: "t" for one in found}
    orders = replace(orders, tickets=tickets, certificate_authority="root")
    at_hand = AtHand(held=frozenset({kit.root, version(1).root}))
    fetch = next_fetch(found, orders, at_hand, is_pausing=False)
    assert fetch == Fetch(version(2).root, ("http://s1",), "t", "root")


def test_who_has_all_of_a_version_is_asked_and_nobody_else() -> None:
    root = version(1).root
    sources = (Source("s1", "http://s1"), Source("s2", "http://s2", frozenset({root})))
    found = needs({KEY: machine(None, candidate=1)}, ORDERS, ABILITIES)
    fetch = next_fetch(found, replace(ORDERS, sources=sources), AtHand(), is_pausing=False)
    assert fetch is not None
    assert fetch.urls == ("http://s2",)


def test_why_nothing_is_fetched_has_a_name() -> None:
    (need,) = needs({KEY: machine(None, candidate=1)}, ORDERS, ABILITIES)

    def state(orders: Orders | None, *, is_pausing: bool = False) -> FetchState:
        return state_of(need, orders, AtHand(), is_pausing=is_pausing)

    assert state(ORDERS) is FetchState.WAITING
    assert state(ORDERS, is_pausing=True) is FetchState.PAUSED
    assert state(replace(ORDERS, not_yet=frozenset({need.root}))) is FetchState.NOT_YET
    assert state(replace(ORDERS, tickets={})) is FetchState.NO_SOURCE
    assert state(replace(ORDERS, sources=())) is FetchState.NO_SOURCE
    assert state(None) is FetchState.NO_SOURCE
    here = AtHand(held=frozenset({need.root}))
    assert state_of(need, ORDERS, here, is_pausing=True) is FetchState.HERE


def test_what_is_on_a_medium_waits_for_no_source_but_for_who_paused_it() -> None:
    (need,) = needs({KEY: machine(None, candidate=1)}, ORDERS, ABILITIES)
    carried = AtHand(carried=frozenset({need.root}))
    away = replace(ORDERS, sources=(), not_yet=frozenset({need.root}))
    for orders in (None, away):
        assert state_of(need, orders, carried, is_pausing=False) is FetchState.WAITING
        assert next_fetch([need], orders, carried, is_pausing=False) == Fetch(need.root, (), "")
    assert state_of(need, away, carried, is_pausing=True) is FetchState.PAUSED
    # What is damaged on it comes from those who may be asked.
    fetch = next_fetch([need], ORDERS, carried, is_pausing=False)
    assert fetch is not None
    assert fetch.urls == ("http://s1",)


def test_the_running_the_prepared_and_the_proven_version_stay() -> None:
    tended = replace(machine(1, candidate=3), proven=version(2))
    here = frozenset(version(number).root for number in range(1, 6))
    assert unneeded_roots(here, [tended], []) == {version(4).root, version(5).root}


def test_what_is_told_of_and_not_yet_looked_at_is_kept() -> None:
    wanted = needs({}, ORDERS, ABILITIES)
    assert unneeded_roots([version(1).root], [], wanted) == NOTHING


def test_only_what_can_be_started_is_offered() -> None:
    first, later = machine(None, candidate=1), machine(1, candidate=2)
    assert offered_roots([first], NOTHING) == {version(1).root}
    assert offered_roots([later], frozenset({version(1).root})) == {version(1).root}
    both = frozenset({version(1).root, version(2).root})
    assert offered_roots([later], both) == both


def test_engines_neither_come_at_once_nor_hammer_a_farm_that_is_away() -> None:
    assert seconds_to_next(300, 0.0) == pytest.approx(240)
    assert seconds_to_next(300, 1.0) == pytest.approx(360)
    waits = [seconds_to_retry(failures, 300, 1.0) for failures in range(1, 30)]
    assert waits == sorted(waits)
    assert waits[0] == 5.0
    assert waits[-1] == LONGEST_RETRY_SECONDS
    assert seconds_to_retry(99, 3600, 1.0) == 3600
    assert seconds_to_retry(1, 300, 0.0) == pytest.approx(2.5)


def test_releases_are_compared_number_by_number() -> None:
    assert is_older("1.9", "1.10")
    assert not is_older("1.10", "1.9")
    assert numbers_of("1.0") == numbers_of("1")
    assert not is_older(None, "1")
    assert not is_older("unknown", "1")
    with pytest.raises(ReleaseInvalidError):
        numbers_of("1.x")
