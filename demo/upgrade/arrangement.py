"""Who stands where: three servers, an office behind a relay, and devices that stream."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from demo.errors import DemoError
from demo.offline.computer import Computer
from demo.postgresql import PostgreSQL
from demo.postgresql import programs as database_programs
from demo.processes import free_port, wait_until
from demo.upgrade.desk import Desk
from demo.upgrade.devices import Device
from demo.upgrade.machine import Machine
from demo.upgrade.timeline import Line
from demo.witness import MAC, DeviceLogin, Guest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from demo.farm import Answer
    from demo.kernel import Kernel
    from demo.processes import Programs, Runner
    from demo.upgrade.network import Network
    from demo.upgrade.releases import Kit

SERVERS: Final = ("s1", "s2", "s3")
ORCHESTRATORS: Final = ("s1", "s2")
"""Those with an API and a worker: any of them takes the steps, its own upgrade's too."""
OFFICE: Final = "office"
IMAGE: Final = "golden"
GUEST: Final = "guest"
_SECONDS: Final = 120.0


@dataclass
class Arrangement:
    """All of it."""

    folder: Path
    network: Network
    database: PostgreSQL
    desk: Desk
    machines: dict[str, Machine]
    computers: tuple[Computer, ...]
    api_ports: Mapping[str, int]
    runner: Runner
    programs: Programs
    root: str = ""
    """Of the image's version."""
    devices: list[Device] = field(default_factory=list)
    guest: Guest | None = None
    front: str = ""
    """Where the office's relay listens for computers."""

    # made

    @classmethod
    def make(  # noqa: PLR0913 - what people start with
        cls,
        folder: Path,
        package: Kit,
        *,
        client: Path,
        engine: Path,
        network: Network,
        runner: Runner,
        programs: Programs,
    ) -> Arrangement:
        """Start the database, and say who is where; no server runs yet."""
        installed = database_programs()
        if installed is None:
            message = "PostgreSQL is not there: run `make setup`, which installs it"
            raise DemoError(message)
        place = network.place("database")
        database = PostgreSQL(
            installed,
            port=free_port(),
            address=place.address,
            within=place.within,
            dies_with_us=True,
        )
        database.start()
        environment = {
            "PGPASSFILE": str(database.pass_file()),
            # The canary of an upgrade is a device's own client.
            "PATH": f"{client.parent}:{os.environ['PATH']}",
        }
        desk = Desk(
            network.place("desk"), folder / "desk" / "farm", package.site, environment, runner
        )
        machines = {
            name: Machine(network.place(name), folder / name, package.site, environment, programs)
            for name in (*SERVERS, OFFICE)
        }
        computers = tuple(
            Computer.at(
                folder, name, user, engine, runner, programs, within=network.place(name).within
            )
            for name, user in (("laptop", "rboston"), ("till", "bsmith"))
        )
        ports = {name: free_port() for name in ORCHESTRATORS}
        return cls(folder, network, database, desk, machines, computers, ports, runner, programs)

    def create(self, disk: Path, publisher: str, devices: int) -> None:
        """Create the farm, with all that it knows of, and give each machine its part."""
        self.database.new_database()
        urls = [word for url in self.api_urls for word in ("--api", url)]
        self.ask(
            *("farm", "create", "demo", *urls, "--database", self.database.network_url("farm1")),
            what="creating the farm",
        )
        self.ask("replication", "policy", "default", str(len(SERVERS)), what="wanting copies")
        self.ask("site", "add", OFFICE, what="adding the office")
        self.ask("collection", "add", OFFICE, "--site", OFFICE, what="adding its computers")
        for name in SERVERS:
            self._add(name)
        front = f"{self.machines[OFFICE].place.address}:{free_port()}"
        self._add(OFFICE, "--site", OFFICE, "--relay", "--management", front)
        self.front = front
        imported = self.ask(
            *("image", "import", IMAGE, str(disk), "--format", "raw", "--server", SERVERS[0]),
            what="importing",
        )
        self.root = str(imported["root"])
        numbers = f"pc[01-{devices:02}]"
        self.ask(
            *("device", "add", numbers, "--mac", "52:54:00:00:01:01", "--image", IMAGE),
            what="adding devices",
        )
        self.ask("device", "add", GUEST, "--mac", MAC, "--image", IMAGE, what="adding the guest")
        for machine in self.machines.values():
            self._equip(machine, publisher)

    def _add(self, name: str, *more: str) -> None:
        address = self.machines[name].place.address
        words = ("--store", str(self.machines[name].folder / "store"))
        listens = (f"{address}:{free_port()}", "--chunks", f"{address}:{free_port()}")
        self.ask(
            *("server", "add", name, *words, "--listen", *listens, *more),
            what=f"adding server {name}",
        )

    def _equip(self, machine: Machine, publisher: str) -> None:
        """Copy to a machine what it needs of the farm's folder, and say what it runs."""
        desk, name = self.desk.farm, machine.name
        services = [
            ["serve", "stream", "--config", str(machine.farm / "servers" / f"{name}.json"), "--tls"]
        ]
        if name in ORCHESTRATORS:
            shutil.copytree(desk, machine.farm)
            listen = f"{machine.place.address}:{self.api_ports[name]}"
            services += [
                ["serve", "api", "--listen", listen, "--tls"],
                ["serve", "worker", "--server", name],
            ]
        else:
            (machine.farm / "servers").mkdir(parents=True)
            shutil.copy2(desk / "servers" / f"{name}.json", machine.farm / "servers")
        machine.prepare(services, publisher)

    # started

    def start_machines(self) -> None:
        """Switch all servers on, and wait until all is well."""
        for machine in self.machines.values():
            machine.start()
        self.wait_until_online(*self.machines)

    def wait_until_online(self, *names: str) -> None:
        """Wait until the farm has heard of servers that they are up."""

        def are_online() -> bool:
            self.expect_running()
            status = self.ask("status", what="asking who is online")
            states = {one["name"]: one["state"] for one in status["servers"]}
            return all(states[name] == "online" for name in names)

        wait_until(are_online, _SECONDS, f"not all of {', '.join(names)} came online")

    def expect_running(self) -> None:
        """Fail with its last words if a machine ended by itself."""
        for machine in self.machines.values():
            machine.expect_running()

    def replicate(self, version: str, *servers: str) -> None:
        """Have servers fetch a version, and wait until they have it."""
        to = (word for name in servers for word in ("--to", name))
        self.ask(
            *("image", "replicate", version, *to, "--wait"),
            what=f"{' and '.join(servers)} fetch {version}",
        )

    def admit_computers(self) -> None:
        """Register the office's computers at its relay, and start their engines."""
        for computer in self.computers:
            user = computer.user
            self.ask("user", "add", user, what=f"adding user {user}")
            words = ("--user", user, "--collection", OFFICE)
            code = self.ask(
                *("computer", "code", *words), what="making a one-time code", keeps_output=False
            )
            computer.register(f"https://{self.front}", self.authority, str(code["code"]))
            computer.start()

    def start_devices(self, client: Path, names: list[str]) -> None:
        """Start devices that read all the while."""
        place = self.network.place("lab")
        folder = self.folder / "devices"
        folder.mkdir(exist_ok=True)
        for name in names:
            device = Device(name, self.root, folder, client, place, self.programs, Line(name))
            login = self._login(name)
            device.log_in(
                {
                    "urls": list(login.urls),
                    "device": name,
                    "key_file": str(self._key_of(name)),
                    "ca_file": str(self.authority),
                }
            )
            self.devices.append(device)
        for device in self.devices:
            device.read()

    def start_guest(self, kernel: Kernel, base: bytes) -> Guest:
        """Power on the machine that has no disk."""
        self.guest = Guest.start(
            GUEST,
            kernel=kernel,
            base=base,
            login=self._login(GUEST),
            folder=self.folder / "devices",
            programs=self.programs,
            within=self.network.place(GUEST).within,
            wishes="verify='--rate 65536 --read-size 16384'\nsays_server=yes\n",
        )
        return self.guest

    def _login(self, device: str) -> DeviceLogin:
        key = self._key_of(device).read_text(encoding="utf-8").strip()
        return DeviceLogin(device, self.api_urls, key, self.authority.read_bytes())

    def _key_of(self, device: str) -> Path:
        return self.desk.farm / "devices" / f"{device}.key"

    # asked

    def ask(self, *words: str, what: str, keeps_output: bool = True, finds: bool = False) -> Answer:
        """Ask at the desk."""
        return self.desk.ask(*words, what=what, keeps_output=keeps_output, finds=finds)

    def machine_of(self, worker: str) -> Machine | None:
        """Give the machine on which a worker runs, by the process id in its name."""
        pid = int(worker.rpartition("-")[2])
        found = (one for one in self.machines.values() if pid in one.processes())
        return next(found, None)

    def last_check_in(self, computer: Computer) -> dict[str, Any]:
        """Give what the farm knows of a computer."""
        return dict(
            self.ask("computer", "show", computer.name, what=f"asking about {computer.name}")
        )

    @property
    def api_urls(self) -> tuple[str, ...]:
        """Where the farm's API is."""
        return tuple(
            f"https://{self.machines[name].place.address}:{port}"
            for name, port in self.api_ports.items()
        )

    @property
    def authority(self) -> Path:
        """The farm's root certificate, as an API keeps it."""
        return self.machines[ORCHESTRATORS[0]].farm / "ca.pem"

    def close(self) -> None:
        """End what has an end of its own."""
        for computer in self.computers:
            computer.end_machines()
        self.database.remove()
