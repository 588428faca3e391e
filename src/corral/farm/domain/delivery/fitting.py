"""Whether devices that lose their server find room on others: the exact answer.

A greedy answer would refuse what can be done, because it gives a place that many could have used to
one who needed no other. This is a maximum flow: devices that may use the same servers form a group,
and groups are few however many devices there are.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from corral.farm.domain.estate.server import ServerId


@dataclass(frozen=True)
class Group:
    """Devices that may use the same servers."""

    servers: frozenset[ServerId]
    count: int


def fit(groups: Sequence[Group], room: Mapping[ServerId, int | None]) -> tuple[int, ...]:
    """Give how many devices of each group find room, as many as possible in all.

    Earlier groups come first: no device of theirs is left out for the sake of a later one. A server
    that is not in ``room`` takes nobody; one whose room is ``None`` has no limit.
    """
    total = sum(group.count for group in groups)
    left = {server: total if free is None else free for server, free in room.items()}
    seated: list[dict[ServerId, int]] = [{} for _ in groups]
    for number, group in enumerate(groups):
        needed = group.count
        while needed > 0:
            path = _path(groups, seated, left, number)
            if path is None:
                break
            needed -= _move_along(path, seated, left, needed)
    return tuple(sum(seats.values()) for seats in seated)


def _path(
    groups: Sequence[Group],
    seated: Sequence[Mapping[ServerId, int]],
    left: Mapping[ServerId, int],
    start: int,
) -> list[tuple[int, ServerId]] | None:
    """Find a chain: a group takes a seat, its holder takes another, …, up to one that is free."""
    came_from: dict[ServerId, tuple[int, ServerId | None]] = {}
    waiting: deque[tuple[int, ServerId | None]] = deque([(start, None)])
    asked = {start}
    while waiting:
        number, through = waiting.popleft()
        for server in sorted(groups[number].servers & left.keys()):
            if server in came_from:
                continue
            came_from[server] = (number, through)
            if left[server] > 0:
                return _traced(came_from, server)
            for other, seats in enumerate(seated):
                if other not in asked and seats.get(server, 0) > 0:
                    asked.add(other)
                    waiting.append((other, server))
    return None


def _traced(
    came_from: Mapping[ServerId, tuple[int, ServerId | None]], end: ServerId
) -> list[tuple[int, ServerId]]:
    path: list[tuple[int, ServerId]] = []
    server: ServerId | None = end
    while server is not None:
        number, before = came_from[server]
        path.append((number, server))
        server = before
    return path[::-1]


def _move_along(
    path: Sequence[tuple[int, ServerId]],
    seated: Sequence[dict[ServerId, int]],
    left: dict[ServerId, int],
    wanted: int,
) -> int:
    amount = min(wanted, left[path[-1][1]])
    for (_, server), (number, _) in pairwise(path):
        amount = min(amount, seated[number][server])
    for (_, server), (number, _) in pairwise(path):
        seated[number][server] -= amount
    for number, server in path:
        seated[number][server] = seated[number].get(server, 0) + amount
    left[path[-1][1]] -= amount
    return amount
