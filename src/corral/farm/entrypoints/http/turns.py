"""A few places that many want: addresses take them in turn, however much each of them asks."""

from asyncio import CancelledError, Future, get_running_loop
from collections import OrderedDict, deque
from typing import TypeAlias

_Waiting: TypeAlias = deque[Future[bool]]


class Turns:
    """Places for requests; for one event loop.

    Who finds none waits in the line of its address. A place that comes free goes to the address
    whose turn it is, so that one with a thousand requests holds another up by one request, not by a
    thousand. When too many wait, the longest line loses its last.
    """

    def __init__(self, places: int, waiting_of_one: int, waiting_of_all: int) -> None:
        self._free = places
        self._waiting_of_one = waiting_of_one
        self._waiting_of_all = waiting_of_all
        self._lines: OrderedDict[str, _Waiting] = OrderedDict()
        self._waiting = 0

    async def take(self, address: str) -> bool:
        """Wait for a place; false if there is not even room to wait."""
        if self._free > 0:
            self._free -= 1
            return True
        line = self._lines.get(address)
        if line is not None and len(line) >= self._waiting_of_one:
            return False
        if self._waiting >= self._waiting_of_all and not self._make_room_for(line):
            return False
        turn: Future[bool] = get_running_loop().create_future()
        self._lines.setdefault(address, deque()).append(turn)
        self._waiting += 1
        try:
            return await turn
        except CancelledError:
            # The caller went away. What it was given at this very moment goes to the next.
            if turn.done() and not turn.cancelled() and turn.result():
                self.give_back()
            elif turn in self._lines.get(address, ()):
                self._leave(address, turn)
            raise

    def give_back(self) -> None:
        """Hand a place on, or keep it free."""
        while self._lines:
            address, line = self._lines.popitem(last=False)
            turn = line.popleft()
            self._waiting -= 1
            if line:
                self._lines[address] = line
            if not turn.done():
                turn.set_result(True)
                return
        self._free += 1

    def _make_room_for(self, line: _Waiting | None) -> bool:
        address, longest = max(self._lines.items(), key=lambda one: len(one[1]))
        if len(longest) <= (0 if line is None else len(line)) + 1:
            return False
        turn = longest[-1]
        self._leave(address, turn)
        if not turn.done():
            turn.set_result(False)
        return True

    def _leave(self, address: str, turn: Future[bool]) -> None:
        line = self._lines[address]
        line.remove(turn)
        self._waiting -= 1
        if not line:
            del self._lines[address]
