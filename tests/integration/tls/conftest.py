"""A farm whose API speaks TLS, of real processes on loopback."""

import json
import ssl
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from demo.processes import Programs, free_port, wait_until

from corral.farm.adapters.certificates import DerivedAuthority, new_key
from corral.farm.adapters.farm_folder.farm_key import FileFarmKey
from corral.farm.adapters.tls import server_context
from corral.farm.domain.estate.farm import Farm, FarmId, FarmName
from tests.integration.farm.client import TARGET
from tests.integration.farm.command import CORRAL, CommandLine
from tests.integration.farm.disks import write_mixed_disk
from tests.integration.tls.ear import Ear

SECONDS = 60.0


@dataclass
class SecuredFarm:
    """A server ``s1`` that holds ``golden/1``, a device ``pc1`` that gets it."""

    home: Path
    corral: CommandLine
    programs: Programs
    api_port: int = field(default_factory=free_port)
    stream_port: int = field(default_factory=free_port)
    chunk_port: int = field(default_factory=free_port)
    chunk_ear: Ear | None = None
    """Between s1 and those who fetch chunks from it."""
    key_file: Path = field(init=False)
    server_file: Path = field(init=False)

    @classmethod
    def at(cls, home: Path, *, is_heard: bool = False) -> "SecuredFarm":
        (home / "logs").mkdir()
        farm = cls(home, CommandLine(home / "farm", home / "corral.log"), Programs(home / "logs"))
        if is_heard:
            farm.chunk_ear = Ear(farm.chunk_port)
        farm.build()
        return farm

    def build(self) -> None:
        ask, ear = self.corral.ask, self.chunk_ear
        ask("farm", "create", "test", "--api", self.api_url)
        added = ask(
            *("server", "add", "s1", "--store", str(self.home / "s1")),
            *("--listen", f"127.0.0.1:{self.stream_port}"),
            *("--chunks", f"127.0.0.1:{self.chunk_port}"),
            *("--advertise-chunks", f"127.0.0.1:{ear.port if ear else self.chunk_port}"),
        )
        self.server_file = Path(added["file"])
        disk = write_mixed_disk(self.home / "disk.raw")
        ask("image", "import", "golden", str(disk), "--server", "s1")
        added = ask("device", "add", "pc1", "--mac", "52:54:00:00:00:01", "--image", "golden")
        self.key_file = Path(added["key_file"])
        listen = ("--listen", f"127.0.0.1:{self.api_port}")
        self.start("api", "serve", "api", *listen, "--tls")
        self.start("s1", "serve", "stream", "--config", str(self.server_file), "--tls")
        self.wait_for(self.is_ready, "s1 did not come online, or got no certificate")

    def start(self, name: str, *words: str) -> None:
        self.programs.start(name, [CORRAL, *words], environment=self.corral.environment())

    def wait_for(self, condition: Any, otherwise: str) -> None:  # noqa: ANN401 - as `wait_until`
        wait_until(condition, SECONDS, otherwise)

    def is_ready(self) -> bool:
        lines = self.corral.ask("status")["servers"]
        known = self.corral.ask("farm", "certificates")["servers"]
        return all(line["state"] == "online" for line in lines) and all(
            one["ends_at"] and one["requires_tls"] for one in known
        )

    def log_of(self, name: str) -> str:
        return (self.programs.logs / f"{name}.log").read_text()

    @property
    def api_url(self) -> str:
        return f"https://127.0.0.1:{self.api_port}"

    @property
    def root_file(self) -> Path:
        return self.corral.farm / "ca.pem"

    @property
    def key(self) -> str:
        return self.key_file.read_text().strip()

    def login_block(self, urls: Sequence[str], ca_file: Path | None) -> dict[str, Any]:
        login = {"urls": list(urls), "device": "pc1", "key_file": str(self.key_file)}
        if ca_file is not None:
            login["ca_file"] = str(ca_file)
        return {"login": login}

    def log_in(self, urls: Sequence[str], ca_file: Path | None) -> subprocess.CompletedProcess[str]:
        """Log in as a device does."""
        config = self.home / "login.json"
        config.write_text(json.dumps(self.login_block(urls, ca_file)))
        return subprocess.run(
            [TARGET, "login", "--config", str(config)],
            check=False,
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )

    def farm(self) -> Farm:
        shown = self.corral.ask("farm", "show")
        return Farm(
            FarmId(shown["id"]),
            FarmName(shown["name"]),
            b"",
            (),
            datetime.fromisoformat(shown["created_at"]),
        )

    def context(self, age: timedelta = timedelta(0), host: str = "127.0.0.1") -> ssl.SSLContext:
        """Give what a process of the farm would show that got its certificate so long ago."""
        authority = DerivedAuthority(FileFarmKey(self.corral.farm / "farm.key"))
        private, public = new_key()
        now = datetime.now(UTC) - age  # noqa: TID251 - whoever checks it has this clock
        made = authority.issue(self.farm(), "test", (host,), public, now)
        return server_context(made.text, private)


@pytest.fixture(scope="session")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredFarm]:
    home = tmp_path_factory.mktemp("secured")
    farm = SecuredFarm.at(home)
    try:
        yield farm
    finally:
        farm.programs.stop_all()
