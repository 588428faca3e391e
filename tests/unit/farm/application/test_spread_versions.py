from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.farm_in_memory import FarmInMemory, disk

from corral.farm.adapters.memory.chunk_stores import CHUNK_BYTES
from corral.farm.application.show_replication import CopyState, CopyView
from corral.farm.application.take_server_report import ReportedReplica, ServerReport
from corral.farm.domain.estate.replication import Bandwidth
from corral.farm.domain.estate.site import FIRST_SITE, SiteChangedError
from corral.farm.domain.estate.store import FIRST_STORE, StoreChangedError
from corral.farm.domain.image.replica import ReplicaState


def standing(farm: FarmInMemory) -> dict[str, CopyView]:
    return {str(view.server.name): view for view in farm.application.show_replication()}


def states(farm: FarmInMemory) -> dict[str, CopyState]:
    return {name: view.state for name, view in standing(farm).items()}


@pytest.fixture
def farm(farm: FarmInMemory) -> FarmInMemory:
    farm.application.set_copies(FIRST_STORE.name, None)
    return farm


def test_new_version_flows_to_every_server_of_its_store(farm: FarmInMemory) -> None:
    servers = [farm.add_server(name) for name in ("s1", "s2", "s3")]
    version = farm.import_disk("debian", disk(1)).version
    for server in servers:
        farm.report(server, holds=(version,) if server is servers[0] else ())
    assert states(farm) == {
        "s1": CopyState.IN_STEP,
        "s2": CopyState.MISSING,
        "s3": CopyState.MISSING,
    }
    wanted = farm.application.configure_server(servers[1].id)
    assert [replica.name for replica in wanted.replicas] == [version.name]


def test_server_that_comes_later_gets_what_is_there(farm: FarmInMemory) -> None:
    farm.add_server("s1")
    version = farm.import_disk("debian", disk(1)).version
    late = farm.add_server("s2")
    wanted = farm.application.configure_server(late.id)
    assert [replica.root for replica in wanted.replicas] == [version.root]


def test_policy_of_some_copies_adds_those_that_are_missing_and_takes_none_away(
    farm: FarmInMemory,
) -> None:
    farm.application.set_copies(FIRST_STORE.name, 1)
    for name in ("s1", "s2", "s3", "s4"):
        farm.add_server(name)
    farm.import_disk("debian", disk(1))
    assert len(standing(farm)) == 1
    farm.application.set_copies(FIRST_STORE.name, 3)
    three = set(standing(farm))
    assert len(three) == 3
    farm.application.set_copies(FIRST_STORE.name, 2)
    assert set(standing(farm)) == three
    farm.application.set_copies(FIRST_STORE.name, None)
    assert len(standing(farm)) == 4


def test_deleted_version_does_not_flow_again(farm: FarmInMemory) -> None:
    farm.add_server("s1")
    version = farm.import_disk("debian", disk(1)).version
    farm.import_disk("debian", disk(2))
    farm.application.delete_version(version.name)
    late = farm.add_server("s2")
    roots = {replica.root for replica in farm.application.configure_server(late.id).replicas}
    assert version.root not in roots


def test_copy_on_its_way_says_how_far_it_is_and_how_long_it_takes(farm: FarmInMemory) -> None:
    first, second = farm.add_server("s1"), farm.add_server("s2")
    version = farm.import_disk("debian", disk(1)).version
    farm.ports.clock.advance(timedelta(seconds=10))
    farm.report(first, holds=(version,))
    half = ReportedReplica(
        version.root, ReplicaState.FETCHING, version.size_bytes // 2, version.size_bytes, 7
    )
    farm.application.take_server_report(second.id, ServerReport(farm.generation, replicas=(half,)))
    view = standing(farm)["s2"]
    assert view.state is CopyState.COPYING
    assert view.percent == 50
    assert view.left_bytes == version.size_bytes - version.size_bytes // 2
    assert view.time_left == timedelta(seconds=10)


def test_time_left_goes_by_the_pace_of_late(farm: FarmInMemory) -> None:
    first, second = farm.add_server("s1"), farm.add_server("s2")
    version = farm.import_disk("debian", disk(*range(1, 65))).version
    # The second server was away for a day before it began.
    farm.ports.clock.advance(timedelta(days=1))
    farm.report(first, holds=(version,))

    def fetches(chunks: int) -> timedelta | None:
        farm.report(first, holds=(version,))
        done = ReportedReplica(
            version.root, ReplicaState.FETCHING, chunks * CHUNK_BYTES, version.size_bytes, 7
        )
        report = ServerReport(farm.generation, replicas=(done,))
        farm.application.take_server_report(second.id, report)
        return standing(farm)["s2"].time_left

    left = fetches(0)
    assert left is None
    for chunk in range(1, 33):
        farm.ports.clock.advance(timedelta(seconds=4))
        left = fetches(chunk)
    assert left is not None
    assert timedelta(seconds=4 * 32 - 4) <= left <= timedelta(seconds=4 * 32 + 4)
    # Then nothing comes any more.
    for _ in range(100):
        farm.ports.clock.advance(timedelta(seconds=4))
        left = fetches(32)
    assert left is None
    # A process that starts anew counts from the beginning, and says nothing of the pace.
    farm.ports.clock.advance(timedelta(seconds=4))
    assert fetches(0) is None


def test_silent_server_is_unreachable_whatever_it_last_said(farm: FarmInMemory) -> None:
    first = farm.add_server("s1")
    version = farm.import_disk("debian", disk(1)).version
    farm.report(first, holds=(version,))
    assert states(farm) == {"s1": CopyState.IN_STEP}
    farm.ports.clock.advance(timedelta(minutes=1))
    assert states(farm) == {"s1": CopyState.UNREACHABLE}


def test_limit_of_the_site_reaches_its_servers(farm: FarmInMemory) -> None:
    server = farm.add_server("s1")
    assert farm.application.configure_server(server.id).replication_rate is None
    before = farm.generation
    farm.application.limit_replication(FIRST_SITE.name, Bandwidth(1 << 20))
    assert farm.application.configure_server(server.id).replication_rate == 1 << 20
    assert farm.generation > before


LINE = 1_000_000


@given(
    states=st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=6),
    silent_seconds=st.sampled_from([0, 60, 3600]),
)
@settings(max_examples=min(100, settings().max_examples))
def test_those_that_fetch_never_have_more_together_than_the_line(
    states: list[tuple[bool, bool]], silent_seconds: int
) -> None:
    farm = FarmInMemory()
    farm.application.set_copies(FIRST_STORE.name, None)
    farm.application.limit_replication(FIRST_SITE.name, Bandwidth(LINE))
    source = farm.add_server("s0")
    others = [farm.add_server(f"s{number}") for number, _ in enumerate(states, 1)]
    version = farm.import_disk("debian", disk(1)).version
    for server in (source, *others):
        farm.report(server)
    farm.wait(silent_seconds)
    for server, (is_done, is_heard) in zip(others, states, strict=True):
        if is_heard:
            farm.report(server, holds=(version,) if is_done else ())
    fetching = [
        server
        for server, (is_done, is_heard) in zip(others, states, strict=True)
        if not (is_done and is_heard) and (is_heard or silent_seconds <= 600)
    ]
    rates = [farm.application.configure_server(one.id).replication_rate for one in fetching]
    assert sum(rate or LINE + 1 for rate in rates) <= LINE
    # Nothing is lost but what cannot be divided.
    assert not rates or sum(rate or 0 for rate in rates) > LINE - len(rates)


def test_share_grows_when_others_finish(farm: FarmInMemory) -> None:
    farm.application.limit_replication(FIRST_SITE.name, Bandwidth(LINE))
    servers = [farm.add_server(name) for name in ("s1", "s2", "s3")]
    version = farm.import_disk("debian", disk(1)).version
    for server in servers[1:]:
        assert farm.application.configure_server(server.id).replication_rate == LINE // 2
    before = farm.generation
    farm.report(servers[1], holds=(version,))
    assert farm.generation > before
    assert farm.application.configure_server(servers[2].id).replication_rate == LINE


def test_second_of_two_people_is_told(farm: FarmInMemory) -> None:
    store = farm.application.set_copies(FIRST_STORE.name, 2)
    farm.application.set_copies(FIRST_STORE.name, 3, store.revision)
    with pytest.raises(StoreChangedError):
        farm.application.set_copies(FIRST_STORE.name, 4, store.revision)
    site = farm.application.limit_replication(FIRST_SITE.name, Bandwidth(1 << 20))
    farm.application.limit_replication(FIRST_SITE.name, Bandwidth(2 << 20), site.revision)
    with pytest.raises(SiteChangedError):
        farm.application.limit_replication(FIRST_SITE.name, Bandwidth(3 << 20), site.revision)
