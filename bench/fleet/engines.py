"""Engines that say what engines say, as many at once as there are connections."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http import HTTPStatus
from threading import Event, local

import httpx
from tests.engines import Engine, machine, running

from bench.fleet.farm import user_of
from corral.wire import engine as wire

CONNECTIONS = 4
_SECONDS = 120.0


@dataclass
class Fleet:
    """Simulated engines of one farm."""

    url: str
    engines: Sequence[Engine]

    @classmethod
    def of(cls, url: str, computers: int) -> "Fleet":
        """Make them; none is registered yet."""
        return cls(url, [Engine(f"pc-{number}") for number in range(computers)])

    def register(self, code: str) -> None:
        """Have each register for a user of its own."""
        numbered = {engine.name: number for number, engine in enumerate(self.engines)}

        def register(api: httpx.Client, engine: Engine) -> None:
            asked = engine.registration(code, user_of(numbered[engine.name]))
            answer = _patiently(lambda: api.post("/v1/computers/register", json=asked))
            engine.farm = wire.RegistrationAnswer.model_validate_json(answer.content)

        self._each(register)

    def check_in(self) -> int:
        """Have each check in once and do a step of what it is told; give how many had news."""
        before = [_generation(engine) for engine in self.engines]
        self._each(_check_in)
        after = [_generation(engine) for engine in self.engines]
        return sum(old != new for old, new in zip(before, after, strict=True))

    def _each(self, act: Callable[[httpx.Client, Engine], None]) -> None:
        mine = local()
        clients: list[httpx.Client] = []

        def of_this_thread(engine: Engine) -> None:
            if not hasattr(mine, "client"):
                mine.client = httpx.Client(base_url=self.url, timeout=_SECONDS)
                clients.append(mine.client)
            act(mine.client, engine)

        try:
            with ThreadPoolExecutor(CONNECTIONS) as pool:
                # Whatever one of them raises is raised here.
                list(pool.map(of_this_thread, self.engines))
        finally:
            for client in clients:
                client.close()


def _check_in(api: httpx.Client, engine: Engine) -> None:
    answer = _patiently(lambda: engine.asked(api, engine.check_in_text()))
    _step(engine, engine.take(wire.SignedOrders.model_validate_json(answer.content)))


def _patiently(ask: Callable[[], httpx.Response]) -> httpx.Response:
    """Ask again for as long as the farm says that it is too often for one address."""
    while (answer := ask()).status_code == HTTPStatus.TOO_MANY_REQUESTS:
        Event().wait(1)
    return answer.raise_for_status()


def _generation(engine: Engine) -> int:
    return 0 if engine.orders is None else engine.orders.generation


def _step(engine: Engine, orders: wire.Orders) -> None:
    """Begin to fetch what is new; of what was begun the time before, say that it runs."""
    said = {(one.image, one.user): one for one in engine.machines}
    engine.machines = tuple(
        _next(order, said.get((order.image, order.user))) for order in orders.machines
    )


def _next(order: wire.MachineOrder, said: wire.MachineReport | None) -> wire.MachineReport:
    if said is not None and said.wanted == order.root:
        return running(order, done_bytes=order.size_bytes, total_bytes=order.size_bytes)
    has = None if said is None else said.running
    return machine(
        order,
        wire.MachineState.DOWNLOADING,
        is_running=has is not None,
        running=has,
        proven=has,
        total_bytes=order.size_bytes,
        done_bytes=order.size_bytes // 2,
    )
