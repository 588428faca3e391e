"""One farm whose processes are of different releases, on SQLite or on PostgreSQL."""

import json
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx
from demo.processes import Program, Programs, free_port, wait_until
from sqlalchemy import text

from corral.farm.adapters.sql import schema
from corral.farm.adapters.sql.engine import open_engine
from corral.farm.domain.upgrade.schema import SeenSchema
from tests.integration.farm.client import Client
from tests.integration.farm.disks import write_random_disk
from tests.releases import Installed

IMAGE: Final = "golden"
SECONDS: Final = 60.0
ROLES: Final = ("api", "worker", "stream")
_MODULES: Final = {
    "api": "corral.farm.entrypoints.http",
    "worker": "corral.farm.entrypoints.worker",
    "stream": "corral.farm.entrypoints.stream",
}


@dataclass(frozen=True)
class Refusal:
    """How a command said no."""

    exit_code: int
    code: str
    message: str


@dataclass
class SharedFarm:
    """A farm with one server ``s1``, an image, and the devices that were added."""

    home: Path
    database: str
    """Its URL; empty for SQLite in the farm's folder."""
    programs: Programs
    devices: list[str] = field(default_factory=list)
    """Every device that a command of any release has added, in this order."""
    has_image: bool = False
    running: dict[str, Program] = field(default_factory=dict)
    releases: dict[str, Installed] = field(default_factory=dict)
    """What runs by its role."""
    api_port: int = field(default_factory=free_port)
    stream_port: int = field(default_factory=free_port)

    @property
    def folder(self) -> Path:
        return self.home / "farm"

    @property
    def api_url(self) -> str:
        return f"http://127.0.0.1:{self.api_port}"

    @property
    def url(self) -> str:
        """The URL of the database, as it is opened here."""
        return self.database or f"sqlite:///{self.folder / 'farm.db'}"

    # commands

    def run(self, release: Installed, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run a command of a release with ``--json`` to its end, whatever that is."""
        return release.run(self.folder, *words, "--json", **more)

    def ask(self, release: Installed, *words: str) -> Any:  # noqa: ANN401 - JSON
        """Run a command that must succeed."""
        done = self.run(release, *words)
        assert done.returncode == 0, f"{release.number}: corral {' '.join(words)}: {done.stderr}"
        return json.loads(done.stdout)

    def refusal(self, release: Installed, *words: str) -> Refusal:
        """Run a command that must be refused."""
        done = self.run(release, *words)
        assert done.returncode != 0, f"{release.number}: corral {' '.join(words)}: {done.stdout}"
        assert "Traceback" not in done.stderr, done.stderr
        said = json.loads(done.stderr.splitlines()[-1])
        return Refusal(done.returncode, said["code"], said["message"])

    def create(self, release: Installed) -> None:
        """Make the farm and a device, by commands of one release."""
        words = ["--database", self.database] if self.database else []
        self.ask(release, "farm", "create", "shared", "--api", self.api_url, *words)
        self.add_device(release)

    def add_server(self, release: Installed) -> None:
        """Add the server, and an image that all devices from now on have."""
        self.ask(
            release,
            *("server", "add", "s1", "--store", str(self.home / "store")),
            *("--listen", f"127.0.0.1:{self.stream_port}", "--chunks", f"127.0.0.1:{free_port()}"),
        )
        disk = write_random_disk(self.home / "disk.raw", 1 << 20)
        self.ask(release, "image", "import", IMAGE, str(disk))
        self.has_image = True
        self.add_device(release)

    def add_device(self, release: Installed) -> None:
        """Add a device by a command of a release."""
        number = len(self.devices) + 1
        name = f"pc{number}"
        mac = f"52:54:00:00:00:{number:02x}"
        image = ["--image", IMAGE] if self.has_image else []
        self.ask(release, "device", "add", name, "--mac", mac, *image)
        self.devices.append(name)

    def start_task(self, release: Installed) -> int:
        """Queue a task by a command of a release."""
        number: int = self.ask(release, "task", "start", "verify", "server=s1")["number"]
        return number

    # processes

    def start(self, role: str, release: Installed) -> None:
        """Have a role be played by a process of a release, in place of the one that plays it."""
        self.stop(role)
        words = {
            "api": ["--listen", f"127.0.0.1:{self.api_port}"],
            "worker": [],
            "stream": ["--config", str(self.folder / "servers" / "s1.json")],
        }[role]
        program = self.programs.start(
            f"{role}-{release.number}",
            release.command(_MODULES[role], *words),
            environment=release.environment(self.folder),
        )
        self.running[role], self.releases[role] = program, release
        port = {"api": self.api_port, "stream": self.stream_port}.get(role)
        begun = program.log.read_text().count("event=serving")

        def serves() -> bool:
            self.programs.expect_running(program)
            if port is None:
                return program.log.read_text().count("event=serving") > begun
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", port)) == 0

        self.wait_for(serves, f"{role} of {release.number} did not serve")

    def stop(self, role: str) -> None:
        """End a process as its service manager would."""
        if role in self.running:
            self.programs.stop(self.running.pop(role))

    def kill(self, role: str) -> None:
        """End a process as a power cut would."""
        if role in self.running:
            self.running.pop(role).kill()

    def end(self) -> None:
        """End all."""
        self.programs.stop_all()

    @staticmethod
    def wait_for(condition: Any, otherwise: str) -> None:  # noqa: ANN401 - a function
        """Wait for a condition, not for a time."""
        wait_until(condition, SECONDS, otherwise)

    def log_in(self, device: str) -> httpx.Response:
        """Ask the API as a device does."""
        key = (self.folder / "devices" / f"{device}.key").read_text().strip()
        return httpx.post(
            f"{self.api_url}/v1/devices/{device}/login",
            headers={"Authorization": f"Bearer {key}"},
            timeout=SECONDS,
            trust_env=False,
        )

    def login_configuration(self, device: str) -> dict[str, Any]:
        """Give what a client of a device is started with."""
        key = self.folder / "devices" / f"{device}.key"
        return {"login": {"urls": [self.api_url], "device": device, "key_file": str(key)}}

    @contextmanager
    def client(self, device: str) -> Iterator[Client]:
        """Have the client of a device serve its disk, from whatever releases run."""
        client = Client.start(
            self.programs, self.home, f"client-{device}", self.login_configuration(device)
        )
        try:
            yield client
        finally:
            client.end()

    # what there is

    def seen(self) -> SeenSchema:
        """Give what the database says of its schema."""
        engine = open_engine(self.url)
        with engine.connect() as connection:
            seen = schema.look(connection)
        engine.dispose()
        return seen

    def rows(self, statement: str) -> list[Any]:
        """Ask the database itself."""
        engine = open_engine(self.url)
        with engine.connect() as connection:
            found = [tuple(row) for row in connection.execute(text(statement))]
        engine.dispose()
        return found

    def check(self, release: Installed) -> None:
        """Look at everything through the eyes of a release, and through what runs."""
        listed = [one["name"] for one in self.ask(release, "device", "list")]
        assert sorted(listed) == sorted(self.devices)
        counted = "SELECT (SELECT count(*) FROM audit_note), (SELECT count(*) FROM audit)"
        ((notes, entries),) = self.rows(counted)
        assert notes == entries, "an entry of the log without its note"
        if "api" in self.running:
            answer = httpx.get(f"{self.api_url}/v1/health", timeout=SECONDS, trust_env=False)
            assert answer.is_success
        if {"api", "stream"} <= self.running.keys():
            self.wait_until_reported()

    def wait_for_task(self, number: int) -> None:
        """Wait until it has ended, however that is."""

        def is_over() -> bool:
            ((state,),) = self.rows(f"SELECT state FROM task WHERE number = {number:d}")
            return state in {"done", "failed", "cancelled"}

        self.wait_for(is_over, f"task {number} did not end")

    def wait_until_reported(self) -> None:
        """Wait until the farm has heard from the stream process that runs."""
        number = self.releases["stream"].number

        def is_heard() -> bool:
            said = self.rows("SELECT reported_release FROM server WHERE name = 's1'")
            return bool(said == [(number,)])

        self.wait_for(is_heard, f"the farm did not hear of {number}")
