"""Lists of a large farm: how many questions the database is asked does not grow with the farm."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from uuid import UUID

import pytest
from sqlalchemy import Engine, event, insert
from tests.contract.things import FARM, device, image, server
from tests.databases import sqlite_with_tables
from tests.farm_in_memory import MemoryPorts

from corral.farm.adapters.sql import rows, tables
from corral.farm.adapters.sql.engine import open_engine
from corral.farm.adapters.sql.transactions import SqlTransactions
from corral.farm.application.list_devices import DEVICES
from corral.farm.application.listing import Wish, page_of
from corral.farm.application.verbs import Application
from corral.farm.domain.delivery.device import DeviceId, MacAddress, device_name

pytestmark = pytest.mark.thorough

MANY = 10_000


@contextmanager
def counted() -> Iterator[list[str]]:
    asked: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        asked.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield asked
    finally:
        event.remove(Engine, "before_cursor_execute", note)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Application]:
    """A farm that is only looked at."""
    url = sqlite_with_tables(tmp_path_factory.mktemp("large") / "farm.db")
    transactions = SqlTransactions(url)
    debian = image("debian", 1)
    with transactions.writing() as records:
        records.farm.set_up(FARM)
        records.images.add(debian)
        records.servers.add(server("s1", 1))
    one = device("pc0", 0).assigned(debian.id, FARM.created_at)
    engine = open_engine(url)
    with engine.begin() as connection:
        connection.execute(
            insert(tables.device),
            [
                rows.device_values(
                    replace(
                        one,
                        id=DeviceId(UUID(int=10_000 + n)),
                        name=device_name(f"pc{n:05}"),
                        mac=MacAddress.parse(f"52:54:00:00:{n // 256:02x}:{n % 256:02x}"),
                    )
                )
                for n in range(MANY)
            ],
        )
    engine.dispose()
    yield Application(MemoryPorts(transactions=transactions))
    transactions.close()


def test_ten_thousand_devices_are_listed_by_a_few_questions(large: Application) -> None:
    with counted() as asked:
        views = large.list_devices()
    assert len(views) == MANY
    assert len(asked) < 15, asked
    page = page_of(views, DEVICES, Wish(("name=pc09*",), "-name", 100))
    assert [view.device.name for view in page.items][:2] == ["pc09999", "pc09998"]
    assert (len(page.items), page.total) == (100, 1000)


def test_sites_and_collections_count_them_by_a_few_questions(large: Application) -> None:
    with counted() as asked:
        (site,) = large.list_sites()
        (collection,) = large.list_collections()
    assert site.devices == collection.devices == MANY
    assert len(asked) < 15, asked
