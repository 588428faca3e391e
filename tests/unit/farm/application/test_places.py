"""The farm follows its devices from server to server."""

from dataclasses import replace
from uuid import UUID

import pytest
from tests.farm_in_memory import FarmInMemory, disk

from corral.farm.application.take_server_report import ReportedSession, ServerReport
from corral.farm.domain.delivery.device import Device, DeviceId
from corral.farm.domain.delivery.place import BOOT_BYTES, Place
from corral.farm.domain.delivery.ranking import Load
from corral.farm.domain.estate.server import Server


class Watched:
    """A farm of two servers and a device whose connections are told byte by byte."""

    def __init__(self, farm: FarmInMemory) -> None:
        self.farm = farm
        self.servers = {name: farm.add_server(name) for name in ("s1", "s2")}
        self.version = farm.import_disk("debian", disk(1)).version
        farm.report(self["s1"])
        farm.replicate(self.version, self["s2"])
        self.device = farm.add_device("pc1", "debian")
        self.began = farm.ports.clock.now()

    def __getitem__(self, name: str) -> Server:
        return self.servers[name]

    def says(self, server: str, *sent_bytes: int, device: Device | None = None) -> None:
        """Let a server report the device's connections, by what each has read so far."""
        of = device or self.device
        self.farm.application.take_server_report(
            self[server].id,
            ServerReport(
                generation=self.farm.generation,
                sessions=tuple(
                    ReportedSession(of.id, "debian/1", f"192.0.2.9:{port}", self.began, sent)
                    for port, sent in enumerate(sent_bytes, 40_000)
                ),
            ),
        )

    def place(self) -> Place | None:
        with self.farm.ports.transactions.reading() as records:
            return records.places.find(self.device.id)

    def where(self) -> str | None:
        place = self.place()
        names = {server.id: name for name, server in self.servers.items()}
        return None if place is None else names[place.server_id]

    def loads(self) -> dict[str, Load]:
        with self.farm.ports.transactions.reading() as records:
            loads = records.places.loads(self.farm.ports.clock.now())
        return {name: loads.get(server.id, Load()) for name, server in self.servers.items()}


@pytest.fixture
def watched(farm: FarmInMemory) -> Watched:
    return Watched(farm)


def test_a_login_says_where_a_device_is_going(watched: Watched) -> None:
    answer = watched.farm.application.log_device_in(watched.device.id, address="192.0.2.9")
    place = watched.place()
    assert place is not None
    assert place.server_id == answer.servers[0].id
    assert place.started_at == watched.farm.ports.clock.now()
    assert place.address == "192.0.2.9"
    assert place.root == watched.version.root
    assert watched.loads()[answer.servers[0].name] == Load(1, 1)


def test_a_start_ends_with_time_or_with_what_was_read(watched: Watched) -> None:
    server = str(watched.farm.application.log_device_in(watched.device.id).servers[0].name)
    watched.says(server, BOOT_BYTES // 2, BOOT_BYTES // 2 - 1)
    assert watched.loads()[server] == Load(1, 1)
    watched.says(server, BOOT_BYTES // 2, BOOT_BYTES // 2)
    assert watched.loads()[server] == Load(1, 0)
    watched.farm.application.log_device_in(watched.device.id)
    watched.farm.wait(119)
    assert sum(load.booting for load in watched.loads().values()) == 1
    watched.farm.wait(1)
    assert sum(load.booting for load in watched.loads().values()) == 0


def test_a_device_is_where_it_reads_and_its_spare_counts_nowhere(watched: Watched) -> None:
    watched.says("s1", 1000)
    watched.says("s2", 0)
    assert watched.where() == "s1"
    assert watched.loads() == {"s1": Load(1), "s2": Load()}


def test_a_late_read_that_was_asked_of_the_spare_is_no_move(watched: Watched) -> None:
    watched.says("s1", 1000)
    for second in range(1, 20):
        watched.farm.wait(1)
        watched.says("s1", 1000 + second)
        watched.says("s2", second)
        assert watched.where() == "s1"


def test_a_device_that_reads_elsewhere_has_moved(watched: Watched) -> None:
    watched.says("s1", 1000)
    moved_after = None
    for second in range(1, 10):
        watched.farm.wait(1)
        watched.says("s1", 1000)
        watched.says("s2", second)
        if watched.where() == "s2":
            moved_after = second
            break
    assert moved_after == 6


def test_a_device_whose_server_fell_silent_is_followed(watched: Watched) -> None:
    watched.says("s1", 1000)
    watched.says("s2", 0)
    for second in range(1, 8):
        watched.farm.wait(1)
        watched.says("s2", second)
    assert watched.where() == "s2"


def test_an_idle_device_whose_server_fell_silent_stays_there_for_the_farm(
    watched: Watched,
) -> None:
    watched.says("s1", 1000)
    for _ in range(20):
        watched.farm.wait(1)
        watched.says("s2", 0)
    assert watched.where() == "s1"
    watched.says("s1")  # it is back, and says that nobody is connected
    assert watched.where() == "s2"


def test_a_device_that_left_has_no_place(watched: Watched) -> None:
    server = str(watched.farm.application.log_device_in(watched.device.id).servers[0].name)
    watched.farm.wait(15)
    watched.says(server)
    assert watched.where() == server  # it may be on its way
    watched.farm.wait(1)
    watched.says(server)
    assert watched.where() is None
    assert watched.loads() == {"s1": Load(), "s2": Load()}


def test_a_renewal_keeps_a_device_where_it_is(watched: Watched) -> None:
    watched.says("s2", 1000)
    for number in range(5):
        busy = watched.farm.add_device(f"busy{number}", "debian")
        watched.farm.application.log_device_in(busy.id)
    answer = watched.farm.application.log_device_in(watched.device.id, watched.version.root)
    assert [server.name for server in answer.servers] == ["s2", "s1"]
    assert watched.where() == "s2"
    place = watched.place()
    assert place is not None
    assert place.started_at is None


def test_a_device_that_fails_over_is_let_in_whatever_starts_there(watched: Watched) -> None:
    watched.says("s1", 1000)
    watched.farm.wait(6)
    watched.says("s2", 0)
    answer = watched.farm.application.log_device_in(watched.device.id, watched.version.root)
    assert [server.name for server in answer.servers] == ["s2"]
    assert watched.where() == "s2"
    assert watched.loads()["s2"] == Load(1, 0)


def test_a_stranger_has_no_place(watched: Watched) -> None:
    stranger = replace(watched.device, id=DeviceId(UUID(int=1 << 90)))
    watched.says("s1", 5, device=stranger)
    assert watched.loads() == {"s1": Load(), "s2": Load()}
