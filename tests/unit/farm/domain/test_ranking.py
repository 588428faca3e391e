from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from corral.farm.domain.access.token import TokenDigest
from corral.farm.domain.delivery.device import DeviceId
from corral.farm.domain.delivery.ranking import Candidate, rank_servers
from corral.farm.domain.estate.address import Address
from corral.farm.domain.estate.server import (
    Server,
    ServerId,
    ServerState,
    server_name,
)
from corral.farm.domain.estate.store import FolderId, StoreFolder

PC1 = DeviceId(UUID(int=77))


def server(number: int, *, draining: bool = False) -> Server:
    return Server(
        id=ServerId(UUID(int=number)),
        name=server_name(f"s{number}"),
        store=StoreFolder(FolderId(UUID(int=number)), Path("/s")),
        listen=(Address("127.0.0.1", 1),),
        advertised=(Address("127.0.0.1", 1),),
        chunks_listen=Address("127.0.0.1", 2),
        chunks_advertised=Address("127.0.0.1", 2),
        token_digest=TokenDigest(bytes(32)),
        added_at=datetime(2026, 1, 1, tzinfo=UTC),
        draining=draining,
    )


@st.composite
def candidate_lists(draw: st.DrawFn) -> list[Candidate]:
    numbers = draw(st.lists(st.integers(0, 1000), unique=True, max_size=12))
    return [
        Candidate(
            server(number, draining=draw(st.booleans())),
            draw(st.sampled_from(ServerState)),
            draw(st.booleans()),
            draw(st.integers(0, 3)),
        )
        for number in numbers
    ]


@given(candidate_lists(), st.uuids().map(DeviceId))
def test_exactly_the_eligible_servers_are_ranked(
    candidates: list[Candidate], device: DeviceId
) -> None:
    ranked = rank_servers(candidates, device)
    eligible = {
        c.server.id
        for c in candidates
        if c.holds_completely and c.state is ServerState.ONLINE and not c.server.draining
    }
    assert {s.id for s in ranked} == eligible
    assert len(ranked) == len(eligible)


@given(candidate_lists(), st.uuids().map(DeviceId))
def test_load_never_falls_along_the_list(candidates: list[Candidate], device: DeviceId) -> None:
    load = {c.server.id: c.load for c in candidates}
    loads = [load[s.id] for s in rank_servers(candidates, device)]
    assert loads == sorted(loads)


@given(st.data(), candidate_lists(), st.uuids().map(DeviceId))
def test_order_does_not_depend_on_the_order_of_arrival(
    data: st.DataObject, candidates: list[Candidate], device: DeviceId
) -> None:
    shuffled = data.draw(st.permutations(candidates))
    assert rank_servers(candidates, device) == rank_servers(shuffled, device)


@given(candidate_lists(), st.uuids().map(DeviceId))
def test_a_server_that_leaves_does_not_reorder_the_others(
    candidates: list[Candidate], device: DeviceId
) -> None:
    ranked = rank_servers(candidates, device)
    if ranked:
        left = [c for c in candidates if c.server.id != ranked[0].id]
        assert rank_servers(left, device) == ranked[1:]


def test_idle_servers_share_a_room_of_devices() -> None:
    idle = [Candidate(server(n), ServerState.ONLINE, True, 0) for n in range(4)]  # noqa: FBT003
    first = [rank_servers(idle, DeviceId(UUID(int=n)))[0].name for n in range(400)]
    for one in idle:
        assert 60 < first.count(one.server.name) < 140


def test_without_servers_there_is_nothing_to_rank() -> None:
    assert rank_servers([], PC1) == ()
