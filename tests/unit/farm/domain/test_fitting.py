from itertools import product

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.farm.domain.farms import server_id

from corral.farm.domain.delivery.fitting import Group, fit
from corral.farm.domain.estate.server import ServerId

SMALL = st.tuples(
    st.lists(
        st.builds(
            Group,
            st.frozensets(st.integers(0, 2).map(server_id)),
            st.integers(0, 3),
        ),
        max_size=3,
    ),
    st.dictionaries(st.integers(0, 2).map(server_id), st.integers(0, 3)),
)


def by_trying_everything(groups: list[Group], room: dict[ServerId, int]) -> tuple[int, ...]:
    """The best outcome, earlier groups first, by trying each way to seat each device."""
    devices = [(n, g) for n, group in enumerate(groups) for g in [group] * group.count]
    best: tuple[int, ...] = (0,) * len(groups)
    for seats in product(*([None, *sorted(group.servers & room.keys())] for _, group in devices)):
        if any(seats.count(server) > free for server, free in room.items()):
            continue
        counts = [0] * len(groups)
        for (number, _), seat in zip(devices, seats, strict=True):
            counts[number] += seat is not None
        best = max(best, tuple(counts))
    return best


@given(SMALL)
def test_as_many_find_room_as_any_arrangement_could_seat(
    case: tuple[list[Group], dict[ServerId, int]],
) -> None:
    groups, room = case
    if sum(group.count for group in groups) <= 6:
        assert fit(groups, dict(room)) == by_trying_everything(groups, room)


def test_whoever_has_a_choice_makes_way_along_a_chain() -> None:
    groups = [
        Group(frozenset({server_id(1), server_id(2)}), 2),
        Group(frozenset({server_id(1), server_id(3)}), 2),
        Group(frozenset({server_id(1)}), 2),
    ]
    room: dict[ServerId, int | None] = {server_id(n): 2 for n in (1, 2, 3)}
    assert fit(groups, room) == (2, 2, 2)


def test_no_limit_is_room_for_all() -> None:
    assert fit([Group(frozenset({server_id(1)}), 9)], {server_id(1): None}) == (9,)
