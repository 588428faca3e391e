from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace

import pytest
from tests.farm_in_memory import FarmInMemory

from corral.farm.application.change_server import ServerEdit
from corral.farm.application.ports.records import Records, Transactions
from corral.farm.application.take_login_snapshot import TakeLoginSnapshot
from corral.farm.domain.delivery.errors import NoRoomForDeviceError
from corral.farm.domain.estate.capacity import device_limit


def test_snapshot_says_what_each_login_would_have_said() -> None:
    farm = FarmInMemory()
    for name in ("s1", "s2"):
        farm.add_server(name)
    version = farm.import_disk("debian", b"golden" * 50_000).version
    servers = {view.server.name: view.server for view in farm.application.list_servers()}
    farm.replicate(version, servers["s2"])  # type: ignore[index] # names are strings
    farm.report(servers["s1"], holds=(version,))  # type: ignore[index]
    devices = [farm.add_device(f"pc{n}", "debian") for n in range(8)]
    farm.add_device("unassigned")

    snapshot = farm.application.take_login_snapshot()

    assert snapshot.taken_at == farm.ports.clock.now()
    assert snapshot.farm == farm.application.show_farm().farm
    told = {answer.device.name: answer for answer in snapshot.answers}
    assert set(told) == {device.name for device in devices}
    # A real login counts, so that only the first is asked with the same loads.
    first = farm.application.log_device_in(devices[0].id)
    assert replace(first, device=devices[0]) == told[devices[0].name]
    assert {len(answer.servers) for answer in snapshot.answers} == {2}


def test_snapshot_has_an_answer_for_every_device_of_a_farm_at_its_limits() -> None:
    farm = FarmInMemory()
    server = farm.add_server("s1")
    version = farm.import_disk("debian", b"golden" * 50_000).version
    one = device_limit(1)
    farm.application.change_server(server.name, ServerEdit(max_devices=one))
    farm.application.change_server(server.name, ServerEdit(max_devices_booting=one))
    farm.report(server, holds=(version,))
    devices = [farm.add_device(f"pc{n}", "debian") for n in (1, 2)]
    farm.application.log_device_in(devices[0].id)
    with pytest.raises(NoRoomForDeviceError):
        farm.application.log_device_in(devices[1].id)
    snapshot = farm.application.take_login_snapshot()
    assert [answer.device.name for answer in snapshot.answers] == ["pc1", "pc2"]


def test_snapshot_changes_nothing() -> None:
    farm = FarmInMemory()
    server = farm.add_server("s1")
    version = farm.import_disk("debian", b"golden" * 50_000).version
    farm.report(server, holds=(version,))
    farm.add_device("pc1", "debian")
    before = farm.application.list_devices()
    generation = farm.generation
    farm.application.take_login_snapshot()
    assert farm.application.list_devices() == before
    assert farm.generation == generation


def test_thousand_devices_of_one_image_ask_about_it_once() -> None:
    farm = FarmInMemory()
    server = farm.add_server("s1")
    version = farm.import_disk("debian", b"golden" * 50_000).version
    farm.report(server, holds=(version,))
    for number in range(1000):
        farm.add_device(f"pc{number}", "debian")
    counting = _Counting(farm.ports.transactions)
    take = TakeLoginSnapshot(
        counting, farm.ports.farm_key, farm.ports.certificate_authority, farm.ports.clock
    )
    assert len(take().answers) == 1000
    assert sum(counting.asked.values()) < 50, counting.asked


class _Counting:
    """Transactions that count what is asked of their records."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions
        self.asked: Counter[str] = Counter()

    @contextmanager
    def reading(self) -> Iterator[Records]:
        with self._transactions.reading() as records:
            yield _Counted(records, self.asked)  # type: ignore[misc] # by attribute

    def writing(self) -> AbstractContextManager[Records]:
        raise AssertionError

    def set_up(self) -> None:
        raise AssertionError


class _Counted:
    def __init__(self, asked_of: object, asked: Counter[str], path: str = "") -> None:
        self._asked_of, self._asked, self._path = asked_of, asked, path

    def __getattr__(self, name: str) -> object:
        found = getattr(self._asked_of, name)
        if not self._path:
            return _Counted(found, self._asked, name)
        self._asked[f"{self._path}.{name}"] += 1
        return found
