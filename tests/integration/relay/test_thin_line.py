"""A farm, a relay behind 2 Mbit/s and 200 ms, and two engines; the line is cut in the middle."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import corral_native as native
import pytest
from demo.processes import Program, Programs, wait_until

from corral.farm.application.add_collection import NewCollection
from corral.farm.application.add_server import AddedServer, NewServer
from corral.farm.application.add_site import NewSite
from corral.farm.application.import_image import ImportRequest
from corral.farm.application.progress import Progress
from corral.farm.application.verbs import Application
from corral.farm.bootstrap import new_farm
from corral.farm.domain.computer.computer import computer_name
from corral.farm.domain.computer.why import Why
from corral.farm.domain.estate.address import Address
from corral.farm.domain.estate.farm import ApiUrl, farm_name
from corral.farm.domain.estate.server import ServerState, server_name
from corral.farm.domain.image.replica import Replica
from corral.farm.settings import FarmSettings
from tests.integration.engine.computer import Computer
from tests.integration.farm.command import CORRAL
from tests.integration.farm.disks import write_random_disk
from tests.integration.relay.conftest import DEBIAN, OFFICE, PARIS, ROGER
from tests.integration.relay.thin_line import FAR, NEAR, ThinLine, is_possible

SECONDS: Final = 300.0
DISK_BYTES: Final = 3 << 20
CHUNKS: Final = 10_901
API_URL: Final = f"https://{FAR}:10800"
RELAY_URL: Final = f"https://{NEAR}:10802"


@dataclass
class Abroad:
    """The farm with ``s1`` at the far end of the line, ``r1`` and two computers at the near one."""

    home: Path
    line: ThinLine
    application: Application
    programs: Programs
    computers: list[Computer] = field(default_factory=list)
    running: dict[str, Program] = field(default_factory=dict)
    s1: AddedServer = field(init=False)
    r1: AddedServer = field(init=False)

    def build(self) -> None:
        app = self.application
        app.create_farm(farm_name("north"), (ApiUrl(API_URL),))
        app.add_site(NewSite(PARIS))
        app.add_collection(NewCollection(OFFICE, PARIS))
        self.s1 = app.add_server(self.new_server("s1", FAR))
        self.r1 = app.add_server(
            replace(
                self.new_server("r1", NEAR),
                management=Address(NEAR, 10_802),
                site=PARIS,
                relay=True,
            )
        )
        app.import_image(
            ImportRequest(DEBIAN, write_random_disk(self.home / "debian.raw", DISK_BYTES)),
            Progress(),
        )
        app.add_user(ROGER)
        app.assign_image(DEBIAN, [ROGER])
        self.start("api", self.line.farm, "api", "--listen", f"{FAR}:10800")
        self.start_server(self.r1, self.line.site)
        self.wait_for(lambda: self.state_of_relay() is ServerState.ONLINE, "r1 does not report")

    def new_server(self, name: str, host: str) -> NewServer:
        return NewServer(
            name=server_name(name),
            store_path=self.home / name,
            listen=(Address(host, 10_809),),
            chunks_listen=Address(host, CHUNKS),
        )

    def start(self, name: str, where: str, *words: str) -> None:
        self.running[name] = self.programs.start(
            name,
            [*self.line.within(where), CORRAL, "serve", *words],
            environment={"CORRAL_FARM": str(self.home / "farm")},
        )

    def start_server(self, server: AddedServer, where: str) -> None:
        self.start(server.server.name, where, "stream", "--config", str(server.file))

    def add_computer(self, name: str) -> Computer:
        """Register with the relay, and start the engine."""
        computer = Computer.new(self.home / name)
        computer.within = self.line.within(self.line.site)
        self.computers.append(computer)
        code = self.application.issue_code(ROGER, OFFICE).secret.reveal()
        ca = str(self.home / "farm" / "ca.pem")
        # The relay has its certificate a moment after it is first heard of.
        self.wait_for(
            lambda: (
                computer.try_to_run("register", RELAY_URL, "--name", name, "--ca", ca, code=code)[0]
                == 0
            ),
            f"{name} cannot register at the relay",
        )
        computer.start()
        return computer

    def wait_for(self, condition: Any, otherwise: str) -> None:  # noqa: ANN401 - as `wait_until`
        try:
            wait_until(condition, SECONDS, otherwise)
        except Exception as error:
            for log in sorted(self.programs.logs.glob("*.log")):
                error.add_note(f"{log.name}: {log.read_text()[-3000:]}")
            for computer in self.computers:
                error.add_note(computer.log()[-3000:])
            raise

    def state_of_relay(self) -> ServerState:
        return self.application.show_server(self.r1.server.name).state

    def replica(self) -> Replica | None:
        held = self.application.show_server(self.r1.server.name).held
        return held[0].replica if held else None

    def whys(self) -> list[Why | None]:
        views = self.application.list_user_images(ROGER)
        return [None if one.difference is None else one.difference.why for one in views]

    def versions(self, computer: Computer) -> list[str]:
        """Give what is in the store of a computer in full."""
        farm = str(self.application.show_farm().farm.id)
        return list(native.Store.open(computer.state / "store", farm).versions())

    def crossed(self) -> int:
        """Give the bytes of chunks that came over the line."""
        return self.line.carried_from(FAR, CHUNKS)

    def heard(self, name: str) -> int:
        """Give the number of the last check-in that the farm has heard."""
        said = self.application.show_computer(computer_name(name)).said
        assert said is not None
        return said.sequence

    def end(self) -> None:
        for computer in self.computers:
            computer.end()
        self.programs.stop_all()
        self.line.close()


@pytest.fixture
def abroad(tmp_path: Path) -> Iterator[Abroad]:
    if not is_possible():
        if os.environ.get("CI") == "true":
            pytest.fail("a network of its own needs root and /dev/net/tun")
        pytest.skip("a network of its own needs root and /dev/net/tun")
    (tmp_path / "logs").mkdir()
    line = ThinLine(bits_a_second=2_000_000, delay_seconds=0.1)
    application = new_farm(FarmSettings.embedded(tmp_path / "farm"))
    farm = Abroad(tmp_path, line, application, Programs(tmp_path / "logs"))
    try:
        farm.build()
        yield farm
    finally:
        farm.end()


def heard_by(computer: Computer) -> Any:  # noqa: ANN401 - JSON
    return computer.status()["check_in"]["heard_at"]


def test_a_version_crosses_a_thin_line_once_for_two_engines_and_through_a_cut(
    abroad: Abroad,
) -> None:
    line = abroad.line
    first, second = abroad.add_computer("pc1"), abroad.add_computer("pc2")
    # Nobody gives chunks yet: the engines know what they are to have before their relay has any.
    for computer in (first, second):
        computer.wait_for(state="ready-to-download")
        urls = computer.status()["farm"]["api_urls"]
        assert urls == [RELAY_URL, API_URL]
    abroad.wait_for(
        lambda: abroad.whys() == [Why.READY_TO_DOWNLOAD] * 2,
        "the farm does not say what is waited for",
    )

    line.cut_after(FAR, CHUNKS, DISK_BYTES // 2)
    abroad.start_server(abroad.s1, line.farm)
    abroad.wait_for(lambda: line.is_cut, "nothing comes over the line")
    half = abroad.crossed()
    assert half < DISK_BYTES
    abroad.wait_for(lambda: abroad.state_of_relay() is ServerState.UNKNOWN, "r1 is still online")
    numbers = [abroad.heard(name) for name in ("pc1", "pc2")]
    # What it has of the half stays, and so does what it carried.
    abroad.running["r1"].kill()
    abroad.start_server(abroad.r1, line.site)

    # Cut off, the relay answers with what it carried, and keeps what is said.
    book = abroad.r1.file.with_name("r1.relay") if abroad.r1.file else Path()
    for computer in (first, second):
        computer.run("check-now")
        kept = book / f"{computer.status()['farm']['computer']}.json"
        abroad.wait_for(
            lambda kept=kept: '"undelivered":{' in kept.read_text(),
            "the relay does not keep what an engine says",
        )
        abroad.wait_for(
            lambda computer=computer: not computer.status()["check_in"]["problem"],
            "the engine was not answered",
        )
        assert computer.machine()["state"] == "ready-to-download"
    # What this one has said, the relay has to tell.
    second.stop_agent()
    assert [abroad.heard(name) for name in ("pc1", "pc2")] == numbers
    assert abroad.crossed() == half

    line.mend()
    abroad.wait_for(lambda: abroad.heard("pc2") > numbers[1], "the farm did not hear of pc2")
    second.start()
    for computer in (first, second):
        abroad.wait_for(
            lambda computer=computer: len(abroad.versions(computer)) == 1,
            "the version did not arrive",
        )
    replica = abroad.replica()
    assert replica is not None
    assert replica.is_complete
    # Once for both, but for what was under way when it was cut; nobody went round the relay.
    assert DISK_BYTES < abroad.crossed() < DISK_BYTES * 3 // 2
