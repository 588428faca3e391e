"""Who stands where: a farm, a server in its house, and an office with a relay and two computers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from demo.farm import Farm, Server
from demo.offline.computer import IMAGE, Computer
from demo.offline.meter import Meter
from demo.processes import free_port, wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from demo.farm import Published
    from demo.processes import Programs, Runner

SITE: Final = "office"
HOUSE: Final = "house"
_SECONDS: Final = 120.0
_MEMORY_MIB: Final = "256"


@dataclass
class Arrangement:
    """All of it; the meters tell what came over which line."""

    farm: Farm
    house: Server
    office: Server
    to_office: Meter
    """Before the house's server: the relay fetches there."""
    to_computers: Meter
    """Before the relay: the office's computers fetch there."""
    computers: tuple[Computer, ...]

    @classmethod
    def make(
        cls, home: Path, corral: Path, engine: Path, runner: Runner, programs: Programs
    ) -> Arrangement:
        """Create the farm and its office; nothing of it runs yet."""
        computers = tuple(
            Computer.at(home, name, user, engine, runner, programs)
            for name, user in (("laptop", "rboston"), ("desk", "bsmith"))
        )
        farm = Farm.at(home / "hq", corral, runner, programs, tls=True)
        farm.create()
        for words in (("site", "add", SITE), ("collection", "add", SITE, "--site", SITE)):
            farm.ask(*words, what=f"adding the {words[0]} {SITE}")
        house, to_office = _add_server(farm, HOUSE)
        office, to_computers = _add_office(farm)
        return cls(farm, house, office, to_office, to_computers, computers)

    def start(self) -> None:
        """Start what does not run, and wait until all is well."""
        self.farm.start_api()
        for server in (self.house, self.office):
            self.farm.start_stream(server)

        def is_well() -> bool:
            self.farm.expect_running()
            status = self.farm.ask("status", what="asking who is online")
            known = self.farm.ask("farm", "certificates", what="asking who has a certificate")
            return all(one["state"] == "online" for one in status["servers"]) and all(
                one["requires_tls"] for one in known["servers"]
            )

        wait_until(is_well, _SECONDS, "not all servers came online")

    def cut(self) -> None:
        """Kill the API, the server and the relay (-9): no computer reaches anything any more."""
        self.farm.kill_api()
        for server in (self.house, self.office):
            self.farm.kill_stream(server)

    def close(self) -> None:
        """End the machines, which outlive their engines, and the meters."""
        for computer in self.computers:
            computer.end_machines()
        for meter in (self.to_office, self.to_computers):
            meter.close()

    # what people do

    def publish(self, disk: Path, *more: str) -> Published:
        """Import a disk as the next version; the relay gets it as soon as somebody there should."""
        return self.farm.import_image(IMAGE, disk, *more, "--server", HOUSE)

    def admit(self) -> None:
        """Make the users, give them the image, and register their computers."""
        shape = ("--memory", _MEMORY_MIB, "--soak", "1", "--user-disk", "16MiB")
        self.farm.ask("image", "machine", IMAGE, *shape, what="saying how its machines are run")
        for computer in self.computers:
            user = computer.user
            self.farm.ask("user", "add", user, what=f"adding user {user}")
            self.farm.ask("image", "assign", IMAGE, "--user", user, what=f"assigning to {user}")
            words = ("--user", user, "--collection", SITE)
            code = self.farm.ask(
                *("computer", "code", *words), what="making a one-time code", keeps_output=False
            )
            computer.register(self.farm.api_url("127.0.0.1"), self.authority, str(code["code"]))

    def wait_for_relay(self, version: Published) -> None:
        """Return once the relay has all of what was assigned to the office's computers."""

        def has_it() -> bool:
            shown = self.farm.ask("image", "show", IMAGE, what="asking what the relay has")
            (known,) = [one for one in shown["versions"] if one["version"] == version.name]
            replicas = {one["server"]: one["state"] for one in known["replicas"]}
            return replicas.get(SITE) == "complete"

        wait_until(has_it, _SECONDS, f"the relay did not get {version.name}")

    def limit(self, rate: str) -> None:
        """Say what fetching may take of each computer's line."""
        for computer in self.computers:
            words = ("computer", "change", computer.name, "--rate", rate)
            self.farm.ask(*words, what=f"limiting the line of {computer.name} to {rate}")

    def roll_out(self, name: str, version: Published, first: Computer) -> None:
        """Offer a version to one user, and to all others once it has proven itself there."""
        waves = ("--ring", f"test={first.user}", "--wave", "100", "--soak", "0s")
        self.farm.ask("rollout", "start", name, version.name, *waves, what="starting the rollout")

    def rollout(self, name: str) -> dict[str, Any]:
        """Give how a rollout stands."""
        return dict(self.farm.ask("rollout", "show", name, what=f"asking about rollout {name}"))

    @property
    def authority(self) -> Path:
        """The farm's root certificate, as it is given to whoever sets a computer up."""
        return self.farm.folder / "ca.pem"


def _add_server(farm: Farm, name: str, *more: str) -> tuple[Server, Meter]:
    """Add a server whose chunks are fetched through a meter."""
    server = Server(name, free_port(), free_port())
    meter = Meter(server.chunk_port)
    farm.add(server, *("--advertise-chunks", f"127.0.0.1:{meter.port}"), *more)
    return server, meter


def _add_office(farm: Farm) -> tuple[Server, Meter]:
    """Add the office's relay: computers fetch from it, and say to it what they say to the farm."""
    front = f"127.0.0.1:{free_port()}"
    return _add_server(farm, SITE, "--site", SITE, "--relay", "--management", front)
