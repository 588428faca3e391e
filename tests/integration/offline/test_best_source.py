"""Which of its sources a computer fetches from: the best, as long as that gives anything."""

import base64
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from corral.wire import engine as wire
from tests.integration.engine.computer import Computer
from tests.integration.engine.farm import ChunkSource, SimulatedFarm

MIB = 1 << 20


class FarmWithTwoSources(SimulatedFarm):
    """Names a second one, which stands far away."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.far = ChunkSource(self.store, self.public_key)
        self.far.start()

    def signed_orders(self) -> wire.SignedOrders:
        orders = wire.Orders.model_validate_json(super().signed_orders().orders)
        roots = tuple(one.root for one in orders.machines)
        sources = (
            wire.Source(server="near", url=self.chunks.url, has=roots),
            wire.Source(server="far", url=self.far.url, has=roots),
        )
        text = orders.model_copy(update={"sources": sources}).model_dump_json()
        signature = self.key.sign(wire.orders_message(text))
        return wire.SignedOrders(orders=text, signature=base64.b64encode(signature).decode())


@pytest.fixture
def farm(tmp_path: Path) -> Iterator[FarmWithTwoSources]:
    farm = FarmWithTwoSources(tmp_path)
    yield farm
    farm.cut()
    farm.far.cut()


def test_others_are_asked_only_where_the_best_gives_nothing(
    farm: FarmWithTwoSources, computer: Computer, tmp_path: Path
) -> None:
    computer.register(farm)
    disk = tmp_path / "disk.raw"
    disk.write_bytes(os.urandom(4 * MIB))
    first = farm.publish(disk)
    farm.want(farm.order(1, first))
    computer.start()
    computer.wait_for(state="preparing", wanted=first.root)
    assert farm.chunks.sent_bytes() > 4 * MIB
    assert farm.far.sent_bytes() == 0
    farm.chunks.cut()
    disk.write_bytes(os.urandom(4 * MIB))
    second = farm.publish(disk)
    farm.want(farm.order(2, second))
    computer.wait_for(state="preparing", wanted=second.root)
    assert farm.far.sent_bytes() > 4 * MIB
