from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.farm.domain.farms import FARM_WIDE, RATINGS, host, server_id

from corral.farm.domain.delivery.device import DeviceId
from corral.farm.domain.delivery.ranking import (
    Affinity,
    Arrival,
    Host,
    Load,
    Ranking,
    WhyNot,
    rank,
)
from corral.farm.domain.estate.site import FIRST_SITE, SiteId
from corral.farm.domain.estate.subnet import Subnet

BRANCH = SiteId(UUID(int=1))
PC1 = DeviceId(UUID(int=77))
LAB = Subnet.parse("192.0.2.0/25")
OFFICE = Subnet.parse("192.0.2.128/25")


def arrival(*holders: int, **facts: object) -> Arrival:
    plain = Arrival(PC1, frozenset(map(server_id, holders)))
    return replace(plain, **facts)  # type: ignore[arg-type] # each test names fields of Arrival


def order(ranking: Ranking) -> list[int]:
    return [one.int for one in ranking.servers]


# Made once: that costs more than to draw from them.
NUMBERS = st.lists(st.integers(0, 1000), unique=True, max_size=12)
LOADS = st.sampled_from([Load(all_, some) for all_ in range(7) for some in range(all_ + 1)])
MOSTLY = st.sampled_from([True, True, False])
SOME_RATING = st.sampled_from(RATINGS)
SOME_LIMIT = st.none() | st.integers(0, 6)
SOME_SUBNETS = st.sampled_from([(), (LAB,), (OFFICE,), (LAB, OFFICE)])
SOME_SITE = st.sampled_from([FIRST_SITE.id, BRANCH])
SOME_DEVICE = st.uuids().map(DeviceId)
SOME_ADDRESS = st.sampled_from([None, "192.0.2.5", "192.0.2.200", "2001:db8::1"])
SOME_AFFINITY = st.sampled_from(Affinity)
BOOLEANS = st.booleans()


@st.composite
def hosts_and_arrivals(draw: st.DrawFn) -> tuple[list[Host], Arrival]:
    numbers = draw(NUMBERS)
    hosts = [
        host(
            number,
            load=draw(LOADS),
            is_online=draw(MOSTLY),
            takes_devices=draw(MOSTLY),
            rating=draw(SOME_RATING),
            max_devices=draw(SOME_LIMIT),
            max_booting=draw(SOME_LIMIT),
            subnets=draw(SOME_SUBNETS),
            site_id=draw(SOME_SITE),
        )
        for number in numbers
    ]
    some = st.sampled_from([None, *(one.id for one in hosts)])
    return hosts, Arrival(
        device_id=draw(SOME_DEVICE),
        holders=frozenset(one.id for one in hosts if draw(BOOLEANS)),
        is_running=draw(BOOLEANS),
        place=draw(some),
        wanted=draw(some),
        address=draw(SOME_ADDRESS),
        networks=draw(SOME_SUBNETS),
        is_for_later=draw(BOOLEANS),
        only=draw(some) if draw(BOOLEANS) else None,
        affinity=draw(SOME_AFFINITY),
    )


@FARM_WIDE
@given(hosts_and_arrivals())
def test_only_servers_that_can_serve_are_listed_and_all_of_them(
    both: tuple[list[Host], Arrival],
) -> None:
    hosts, asked = both
    ranking = rank(hosts, asked)
    can = {
        one.id
        for one in hosts
        if one.id in asked.holders
        and asked.only in {None, one.id}
        and one.is_online
        and one.takes_devices
        and (asked.affinity is not Affinity.FIXED or is_near(one, asked))
    }
    assert len(ranking.servers) == len(set(ranking.servers))
    assert set(ranking.servers) in (can, set())
    if asked.is_running or asked.is_for_later:
        assert set(ranking.servers) == can


def is_near(one: Host, asked: Arrival) -> bool:
    if asked.address is None:
        return bool({*one.subnets} & {*asked.networks})
    return one.is_near(asked.address)


@FARM_WIDE
@given(hosts_and_arrivals())
def test_a_device_that_starts_is_sent_first_where_limits_let_it(
    both: tuple[list[Host], Arrival],
) -> None:
    hosts, asked = both
    asked = replace(asked, is_running=False, is_for_later=False, place=None, wanted=None)
    servers = rank(hosts, asked).servers
    by_id = {one.id: one for one in hosts}
    is_limited = [by_id[s].is_full or by_id[s].boots_too_many for s in servers]
    assert is_limited == sorted(is_limited)
    assert not is_limited or not is_limited[0]


@FARM_WIDE
@given(hosts_and_arrivals())
def test_load_never_falls_among_equals(both: tuple[list[Host], Arrival]) -> None:
    hosts, asked = both
    asked = replace(asked, affinity=Affinity.NONE, place=None, wanted=None)
    unlimited = [
        replace(one, max_devices=None, max_booting=None, site_id=FIRST_SITE.id) for one in hosts
    ]
    by_id = {one.id: one for one in unlimited}
    servers = [by_id[s] for s in rank(unlimited, asked).servers]
    loads = [Fraction(one.load.weight + 1) / Fraction(one.rating) for one in servers]
    assert loads == sorted(loads)


@given(st.data(), hosts_and_arrivals())
def test_order_does_not_depend_on_the_order_of_arrival(
    data: st.DataObject, both: tuple[list[Host], Arrival]
) -> None:
    hosts, asked = both
    assert rank(hosts, asked) == rank(data.draw(st.permutations(hosts)), asked)


@FARM_WIDE
@given(hosts_and_arrivals())
def test_a_server_that_leaves_does_not_reorder_the_others(
    both: tuple[list[Host], Arrival],
) -> None:
    hosts, asked = both
    asked = replace(asked, is_running=True)
    servers = rank(hosts, asked).servers
    if servers:
        left = [one for one in hosts if one.id != servers[0]]
        assert rank(left, asked).servers == servers[1:]


@FARM_WIDE
@given(hosts_and_arrivals())
def test_whoever_is_not_let_in_is_told_why_by_every_server(
    both: tuple[list[Host], Arrival],
) -> None:
    hosts, asked = both
    ranking = rank(hosts, asked)
    if not ranking.servers:
        assert [name for name, _ in ranking.refused] == sorted(one.name for one in hosts)


@FARM_WIDE
@given(hosts_and_arrivals())
def test_limits_never_block_a_device_that_runs(both: tuple[list[Host], Arrival]) -> None:
    hosts, asked = both
    asked = replace(asked, is_running=True)
    crowded = [replace(one, max_devices=0, max_booting=0) for one in hosts]
    assert set(rank(crowded, asked).servers) == set(rank(hosts, asked).servers)


def test_idle_servers_share_a_room_of_devices() -> None:
    idle = [host(number) for number in range(4)]
    first = [
        order(rank(idle, arrival(0, 1, 2, 3, device_id=DeviceId(UUID(int=n)))))[0]
        for n in range(400)
    ]
    assert all(60 < first.count(number) < 140 for number in range(4))


def test_a_login_storm_is_spread_by_ratings() -> None:
    hosts = {0: host(0), 1: host(1, rating=Decimal(2)), 2: host(2, rating=Decimal("0.5"))}
    for number in range(350):
        asked = arrival(0, 1, 2, device_id=DeviceId(UUID(int=number)))
        chosen = order(rank(hosts.values(), asked))[0]
        load = hosts[chosen].load
        hosts[chosen] = replace(hosts[chosen], load=Load(load.devices + 1, load.booting + 1))
    assert [hosts[number].load.devices for number in range(3)] == [100, 200, 50]


def test_a_device_that_starts_counts_twice() -> None:
    hosts = [host(1, devices=10), host(2, devices=6, booting=6)]
    assert order(rank(hosts, arrival(1, 2))) == [1, 2]


def test_without_servers_there_is_nothing_to_rank() -> None:
    assert rank([], arrival()) == Ranking((), ())


def test_full_servers_are_spares_and_no_first_choice() -> None:
    hosts = [host(1, max_devices=0), host(2, devices=9), host(3, max_booting=1, booting=1)]
    ranking = rank(hosts, arrival(1, 2, 3))
    assert order(ranking)[0] == 2
    assert set(order(ranking)) == {1, 2, 3}
    assert ranking.refused == (("s1", WhyNot.FULL), ("s3", WhyNot.BOOTING))


def test_when_all_are_full_a_device_that_starts_waits_and_one_that_runs_does_not() -> None:
    hosts = [host(1, devices=1, max_devices=1), host(2, devices=2, booting=2, max_booting=2)]
    assert rank(hosts, arrival(1, 2)).servers == ()
    assert order(rank(hosts, arrival(1, 2, is_running=True))) == [2, 1]


def test_a_device_that_runs_stays_where_it_is_unless_it_is_asked_to_move() -> None:
    hosts = [host(1, devices=50), host(2)]
    runs = {"is_running": True, "place": server_id(1)}
    assert order(rank(hosts, arrival(1, 2, **runs))) == [1, 2]
    assert order(rank(hosts, arrival(1, 2, **runs, wanted=server_id(2)))) == [2, 1]
    closed = [replace(hosts[0], takes_devices=False), hosts[1]]
    assert order(rank(closed, arrival(1, 2, **runs))) == [2]


def test_affinity_prefers_or_demands_the_own_subnet() -> None:
    hosts = [host(1, subnets=(LAB,), devices=5), host(2, subnets=(OFFICE,)), host(3)]
    asked = arrival(1, 2, 3, address="192.0.2.7")
    assert order(rank(hosts, asked))[-1] == 1
    near = replace(asked, affinity=Affinity.BEST_EFFORT)
    assert order(rank(hosts, near))[0] == 1
    bound = rank(hosts, replace(asked, affinity=Affinity.FIXED))
    assert order(bound) == [1]
    assert bound.refused == (("s2", WhyNot.FAR), ("s3", WhyNot.FAR))


def test_best_effort_goes_outside_when_the_own_subnet_is_full() -> None:
    hosts = [host(1, subnets=(LAB,), max_devices=0), host(2)]
    asked = arrival(1, 2, address="192.0.2.7", affinity=Affinity.BEST_EFFORT)
    assert order(rank(hosts, asked)) == [2, 1]


def test_another_site_is_the_last_resort() -> None:
    hosts = [host(1, site_id=BRANCH), host(2, devices=50)]
    assert order(rank(hosts, arrival(1, 2))) == [2, 1]
    assert order(rank(hosts, arrival(1, 2, site_id=BRANCH))) == [1, 2]


def test_an_address_that_is_not_known_is_in_no_subnet_unless_one_is_supposed() -> None:
    hosts = [host(1, subnets=(LAB,)), host(2, subnets=(OFFICE,))]
    asked = arrival(1, 2, affinity=Affinity.FIXED)
    assert rank(hosts, asked).servers == ()
    assert order(rank(hosts, replace(asked, networks=(LAB,)))) == [1]
    known = replace(asked, networks=(LAB,), address="192.0.2.200")
    assert order(rank(hosts, known)) == [2]


def test_what_is_full_now_may_have_room_later() -> None:
    hosts = [host(1, max_devices=0), host(2, max_booting=0, devices=5)]
    ranking = rank(hosts, arrival(1, 2, is_for_later=True))
    assert order(ranking) == [1, 2]
    assert ranking.refused == (("s1", WhyNot.FULL), ("s2", WhyNot.BOOTING))
