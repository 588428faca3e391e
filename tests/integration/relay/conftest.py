"""A farm and the relay of a branch, of real processes on loopback.

The line is cut by ending the API.
"""

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from demo.processes import Program, Programs, free_port, wait_until

from corral.farm.application.add_collection import NewCollection
from corral.farm.application.add_server import NewServer
from corral.farm.application.add_site import NewSite
from corral.farm.application.import_image import ImportRequest
from corral.farm.application.progress import Progress
from corral.farm.application.verbs import Application
from corral.farm.bootstrap import new_farm
from corral.farm.domain.computer.user import user_name
from corral.farm.domain.estate.address import Address
from corral.farm.domain.estate.collection import collection_name
from corral.farm.domain.estate.farm import ApiUrl, farm_name
from corral.farm.domain.estate.server import server_name
from corral.farm.domain.estate.site import site_name
from corral.farm.domain.image.image import image_name
from corral.farm.settings import FarmSettings
from tests.engines import Engine
from tests.integration.farm.command import CORRAL, CommandLine
from tests.integration.farm.disks import write_random_disk

SECONDS = 120.0
DEBIAN, ROGER = image_name("debian"), user_name("rboston")
PARIS, OFFICE = site_name("paris"), collection_name("office")


@dataclass
class Branch:
    """The server ``s1`` holds ``debian/1``; ``r1`` is the relay of the site ``paris``."""

    home: Path
    application: Application
    """The farm as commands open it."""
    corral: CommandLine
    programs: Programs
    api_port: int = field(default_factory=free_port)
    management_port: int = field(default_factory=free_port)
    chunk_port: int = field(default_factory=free_port)
    api: Program | None = None
    relay: Program | None = None
    file: Path = field(init=False)

    @classmethod
    def at(cls, home: Path) -> "Branch":
        (home / "logs").mkdir()
        application = new_farm(FarmSettings.embedded(home / "farm"))
        corral = CommandLine(home / "farm", home / "corral.log")
        branch = cls(home, application, corral, Programs(home / "logs"))
        branch.build()
        return branch

    def build(self) -> None:
        app, api = self.application, f"127.0.0.1:{self.api_port}"
        app.create_farm(farm_name("test"), (ApiUrl(f"http://{api}"),))
        s1 = app.add_server(self.new_server("s1", free_port()))
        app.add_site(NewSite(PARIS))
        app.add_collection(NewCollection(OFFICE, PARIS))
        r1 = app.add_server(
            replace(
                self.new_server("r1", self.chunk_port),
                management=Address("127.0.0.1", self.management_port),
                site=PARIS,
                relay=True,
            )
        )
        assert r1.file is not None
        self.file = r1.file
        disk = write_random_disk(self.home / "debian.raw", 1 << 20)
        app.import_image(ImportRequest(DEBIAN, disk), Progress())
        app.add_user(ROGER)
        self.mend()
        self.start("s1", "serve", "stream", "--config", str(s1.file))

    def new_server(self, name: str, chunk_port: int) -> NewServer:
        return NewServer(
            name=server_name(name),
            store_path=self.home / name,
            listen=(Address("127.0.0.1", free_port()),),
            chunks_listen=Address("127.0.0.1", chunk_port),
        )

    def start(self, name: str, *words: str, **environment: str) -> Program:
        inherited = self.corral.environment()
        return self.programs.start(name, [CORRAL, *words], environment={**inherited, **environment})

    def start_relay(self, **environment: str) -> None:
        self.relay = self.start("r1", "serve", "stream", "--config", str(self.file), **environment)

    def kill_relay(self) -> None:
        assert self.relay is not None
        self.relay.kill()

    def cut(self) -> None:
        """Have the farm answer nobody."""
        assert self.api is not None
        self.api.kill()

    def mend(self) -> None:
        self.api = self.start("api", "serve", "api", "--listen", f"127.0.0.1:{self.api_port}")

    def wait_for(self, condition: Any, otherwise: str) -> None:  # noqa: ANN401 - as `wait_until`
        try:
            wait_until(condition, SECONDS, otherwise)
        except Exception as error:
            error.add_note((self.programs.logs / "r1.log").read_text()[-4000:])
            raise

    def wait_for_relay(self, path: str = "/v1/health") -> None:
        """Wait until it listens."""

        def answers() -> bool:
            with self.client() as client:
                try:
                    return client.get(path).is_success
                except httpx.TransportError:
                    return False

        self.wait_for(answers, "the relay does not answer")

    def wait_for_copies(self, **wanted: str) -> None:
        """Wait until versions of debian stand on the relay as is said, and no others."""

        def is_so() -> bool:
            held = self.read("/v1/servers/r1").get("versions", [])
            return {one["version"].replace("/", "_"): one["state"] for one in held} == wanted

        self.wait_for(is_so, f"r1 does not hold {wanted}")

    def read(self, path: str) -> dict[str, Any]:
        """Read of the farm's API; nothing while it does not answer."""
        key = (self.corral.farm / "reader.key").read_text().strip()
        with self.client(self.api_port) as client, suppress(httpx.TransportError):
            answer = client.get(path, headers={"Authorization": f"Bearer {key}"})
            assert answer.is_success, answer.text
            found: dict[str, Any] = answer.json()
            return found
        return {}

    def client(self, port: int | None = None) -> httpx.Client:
        return httpx.Client(
            base_url=f"http://127.0.0.1:{port or self.management_port}",
            timeout=60.0,
            trust_env=False,
            # To read whom a system believes takes longer than to ask.
            verify=False,  # noqa: S501 - it speaks to loopback in the clear
        )

    def engine(self, client: httpx.Client, name: str = "laptop") -> Engine:
        """Give an engine that has registered with a code of rboston's."""
        made = Engine(name)
        made.register(client, self.application.issue_code(ROGER, OFFICE).secret.reveal())
        return made

    def kept(self, engine: Engine) -> dict[str, Any]:
        """Give what the relay keeps of a computer."""
        path = self.file.with_name("r1.relay") / f"{engine.id}.json"
        found: dict[str, Any] = json.loads(path.read_text())
        return found


@pytest.fixture
def branch(tmp_path: Path) -> Iterator[Branch]:
    branch = Branch.at(tmp_path)
    try:
        yield branch
    finally:
        branch.programs.stop_all()
