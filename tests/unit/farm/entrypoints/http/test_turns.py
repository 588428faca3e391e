import asyncio
from collections.abc import Coroutine
from typing import Any

from corral.farm.entrypoints.http.turns import Turns


class Crowd:
    """Callers that wait for a place, and the order in which they get one."""

    def __init__(self, turns: Turns) -> None:
        self.turns = turns
        self.served: list[str] = []
        self.refused: list[str] = []
        self.tasks: list[asyncio.Task[None]] = []

    async def come(self, *addresses: str) -> None:
        for address in addresses:
            self.tasks.append(asyncio.ensure_future(self._one(address)))
            await settle()

    async def let_go(self, times: int) -> None:
        for _ in range(times):
            self.turns.give_back()
            await settle()

    async def _one(self, address: str) -> None:
        (self.served if await self.turns.take(address) else self.refused).append(address)


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def run(story: Coroutine[Any, Any, None]) -> None:
    asyncio.run(story)


def test_addresses_take_turns_however_much_one_of_them_asks() -> None:
    async def story() -> None:
        crowd = Crowd(Turns(1, 100, 100))
        await crowd.come(*"aaaaaaaa", "b", "c", "b")
        assert crowd.served == ["a"]
        await crowd.let_go(6)
        assert "".join(crowd.served) == "aabcaba"

    run(story())


def test_places_are_never_more_than_there_are() -> None:
    async def story() -> None:
        crowd = Crowd(Turns(2, 100, 100))
        await crowd.come(*"abcdef")
        assert crowd.served == ["a", "b"]
        await crowd.let_go(6)
        assert len(crowd.served) == 6
        await crowd.come(*"xyz")
        assert crowd.served[6:] == ["x", "y"]
        await crowd.let_go(3)

    run(story())


def test_one_address_does_not_wait_more_than_its_share() -> None:
    async def story() -> None:
        crowd = Crowd(Turns(1, 2, 100))
        await crowd.come(*"aaaaa", "b")
        assert crowd.refused == ["a", "a"]
        await crowd.let_go(3)
        assert "".join(sorted(crowd.served)) == "aaab"

    run(story())


def test_where_all_wait_the_longest_line_makes_room() -> None:
    async def story() -> None:
        crowd = Crowd(Turns(1, 100, 4))
        await crowd.come(*"aaaaa")
        await crowd.come("b", "c")
        assert crowd.refused == ["a", "a"]
        await crowd.come("d", "e")
        assert crowd.refused == ["a", "a", "a", "e"]
        await crowd.let_go(4)
        assert "".join(crowd.served) == "aabcd"

    run(story())


def test_who_goes_away_leaves_its_place_to_the_next() -> None:
    async def story() -> None:
        turns = Turns(1, 100, 100)
        crowd = Crowd(turns)
        await crowd.come(*"abc")
        crowd.tasks[1].cancel()
        await settle()
        turns.give_back()
        await settle()
        assert crowd.served == ["a", "c"]
        await crowd.come("d")
        turns.give_back()
        crowd.tasks[-1].cancel()  # given and gone at the same moment
        await settle()
        await crowd.come("e")
        assert crowd.served == ["a", "c", "e"]

    run(story())
