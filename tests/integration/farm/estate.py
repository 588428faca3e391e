"""A farm on loopback, of real processes: an API, and two servers with a store each."""

import json
import socket
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx
from demo.processes import Program, Programs, free_port, wait_until

from tests.integration.farm.client import Client
from tests.integration.farm.command import CORRAL, CommandLine
from tests.integration.farm.disks import write_mixed_disk
from tests.integration.farm.relay import Relay

DEVICE: Final = "pc1"
IMAGE: Final = "golden"
SECONDS: Final = 60.0
"""How long anything may take before a test gives up; nothing waits for it if all is well."""


@dataclass(frozen=True)
class Server:
    """A server that was added to the farm."""

    name: str
    stream_port: int
    store: Path
    file: Path

    @property
    def kept_configuration(self) -> Path:
        """The file where its stream process keeps the last configuration."""
        return self.file.with_name(f"{self.name}.last.json")


@dataclass
class Estate:
    """The farm; ``s1`` has the image from its import and ``s2`` as a replica of it."""

    home: Path
    corral: CommandLine
    programs: Programs
    relay: Relay
    """Stands before the chunk service of ``s1``, and counts what others fetch there."""
    api_port: int = field(default_factory=free_port)
    servers: dict[str, Server] = field(default_factory=dict)
    version: Mapping[str, Any] = field(default_factory=dict)
    disk: Path = field(init=False)
    key_file: Path = field(init=False)
    replicated: Mapping[str, Any] = field(default_factory=dict)
    """How the farm showed the version when ``s2`` had fetched it."""
    sent_bytes: int = 0
    """What came over the network for that."""
    _running: dict[str, Program] = field(default_factory=dict)
    _clients: list[Client] = field(default_factory=list)

    @classmethod
    def at(cls, home: Path) -> "Estate":
        """Prepare a farm in a folder."""
        logs = home / "logs"
        logs.mkdir()
        corral = CommandLine(home / "farm", logs / "corral.log")
        return cls(home, corral, Programs(logs), Relay())

    def build(self) -> None:
        """Create the farm, import an image, start everything and have ``s2`` fetch the image."""
        self.corral.ask("farm", "create", "test", "--api", self.api_url)
        # The tests say themselves who holds what.
        self.corral.ask("replication", "policy", "default", "1")
        self.add_server("s1", chunks_through=self.relay)
        self.add_server("s2")
        self.disk = write_mixed_disk(self.home / "disk.raw")
        self.version = self.corral.ask("image", "import", IMAGE, str(self.disk), "--server", "s1")
        added = self.corral.ask(
            "device", "add", DEVICE, "--mac", "52:54:00:00:00:01", "--image", IMAGE
        )
        self.key_file = Path(added["key_file"])
        self.bring_up()
        before = self.relay.sent_bytes
        self.replicated = self.corral.ask(
            "image", "replicate", f"{IMAGE}/1", "--to", "s2", "--wait"
        )
        self.sent_bytes = self.relay.sent_bytes - before

    def add_server(self, name: str, chunks_through: Relay | None = None, *more: str) -> Server:
        """Add a server on free ports."""
        stream_port, chunk_port = free_port(), free_port()
        store = self.home / f"store-{name}"
        words = [
            *("--store", str(store), "--listen", f"127.0.0.1:{stream_port}"),
            *("--chunks", f"127.0.0.1:{chunk_port}"),
        ]
        if chunks_through is not None:
            chunks_through.target_port = chunk_port
            words += ["--advertise-chunks", f"127.0.0.1:{chunks_through.port}"]
        added = self.corral.ask("server", "add", name, *words, *more)
        server = Server(name, stream_port, store, Path(added["file"]))
        self.servers[name] = server
        return server

    @property
    def api_url(self) -> str:
        """Where the API is."""
        return f"http://127.0.0.1:{self.api_port}"

    @property
    def root(self) -> str:
        """The root of the image's version."""
        return str(self.version["root"])

    # its processes

    def bring_up(self) -> None:
        """Start what does not run, undrain, and wait until the farm knows that all is well."""
        self.relay.let_go()
        self.start_api()
        for server in self.servers.values():
            self.start_stream(server.name)
        for line in self.status()["servers"]:
            if line["draining"]:
                self.corral.ask("server", "undrain", line["name"])
        self.wait_for(lambda: set(self.states().values()) == {"online"}, "not all came online")

    def start_api(self, name: str = "api") -> None:
        """Start an API at the farm's port, unless one of that name runs."""
        self._start(name, self.api_port, "serve", "api", "--listen", f"127.0.0.1:{self.api_port}")

    def start_stream(self, name: str) -> None:
        """Start a server's stream process, unless it runs."""
        server = self.servers[name]
        self._start(name, server.stream_port, "serve", "stream", "--config", str(server.file))

    def kill(self, name: str) -> None:
        """``kill -9`` the API or a server's stream process."""
        self._running.pop(name).kill()

    def is_running(self, name: str) -> bool:
        """Whether the API or a server's stream process runs."""
        return self._running[name].is_running()

    def log_of(self, name: str) -> str:
        """Give what a process has logged since the farm was built."""
        return (self.programs.logs / f"{name}.log").read_text()

    def end_clients(self) -> None:
        """End the clients that a test has started."""
        while self._clients:
            self._clients.pop().end()

    def end(self) -> None:
        """End everything."""
        self.programs.stop_all()
        self.relay.close()

    def _start(self, name: str, port: int, *words: str) -> None:
        known = self._running.get(name)
        if known is not None and known.is_running():
            return
        environment = self.corral.environment()
        program = self.programs.start(name, [CORRAL, *words], environment=environment)
        self._running[name] = program

        def accepts() -> bool:
            self.programs.expect_running(program)
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", port)) == 0

        self.wait_for(accepts, f"{name} did not listen")

    @staticmethod
    def wait_for(condition: Callable[[], bool], otherwise: str) -> None:
        """Wait for a condition, not for a time."""
        wait_until(condition, SECONDS, otherwise)

    # what it says

    def status(self) -> dict[str, Any]:
        """Give the answer of ``corral status``."""
        answer: dict[str, Any] = self.corral.ask("status")
        return answer

    def states(self) -> dict[str, str]:
        """Give each server's state."""
        return {line["name"]: line["state"] for line in self.status()["servers"]}

    def session_counts(self) -> dict[str, int]:
        """Count each server's sessions, as it last reported them."""
        return {line["name"]: line["sessions"] for line in self.status()["servers"]}

    # its devices

    def log_in(self, device: str = DEVICE, key: str | None = None) -> httpx.Response:
        """Ask the API as a device does."""
        shown = self.key_file.read_text().strip() if key is None else key
        return httpx.post(
            f"{self.api_url}/v1/devices/{device}/login",
            headers={"Authorization": f"Bearer {shown}"},
            timeout=SECONDS,
            trust_env=False,
        )

    def login(self, servers: Sequence[str] | None = None) -> dict[str, Any]:
        """Give a login answer; if servers are named, one with these only."""
        answer: dict[str, Any] = {}

        def are_all_offered() -> bool:
            answer.update(self.log_in().raise_for_status().json())
            return set(servers or ()) <= {one["name"] for one in answer["servers"]}

        # On a busy machine a server's report may be so late that the farm does not offer it.
        self.wait_for(are_all_offered, f"not all of {servers} were offered")
        if servers is not None:
            answer["servers"] = [one for one in answer["servers"] if one["name"] in servers]
        return answer

    def offered_servers(self) -> list[str]:
        """Name the servers of a login answer, best first."""
        return [one["name"] for one in self.login()["servers"]]

    def start_client(
        self,
        name: str,
        configuration: Mapping[str, Any] | None = None,
        error_patience: int = 3600,
        options: Sequence[str] = (),
    ) -> Client:
        """Start a device's client, which by default logs in by itself."""
        if configuration is None:
            login = {"urls": [self.api_url], "device": DEVICE, "key_file": str(self.key_file)}
            configuration = {"login": login}
        client = Client.start(
            self.programs, self.home, name, configuration, error_patience, options
        )
        self._clients.append(client)
        return client


def nbd_node(server: Server, answer: Mapping[str, Any]) -> str:
    """Name a server's export as QEMU's tools want it, for a client that is not Corral's."""
    export = f"{answer['export']};{answer['ticket']}"
    address = {"type": "inet", "host": "127.0.0.1", "port": str(server.stream_port)}
    node = {"driver": "nbd", "server": address, "export": export}
    return f"json:{json.dumps({'driver': 'raw', 'file': node})}"


def is_offered(server: Server, answer: Mapping[str, Any]) -> bool:
    """Whether a server lets somebody with this login answer in."""
    done = subprocess.run(
        ["qemu-img", "info", nbd_node(server, answer)],
        check=False,
        capture_output=True,
        timeout=SECONDS,
    )
    return done.returncode == 0
