"""A farm of real processes with an image that it holds, on SQLite and on PostgreSQL."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from demo.processes import free_port

from corral.farm.application.add_server import NewServer
from corral.farm.application.import_image import ImportRequest
from corral.farm.application.progress import Progress
from corral.farm.application.verbs import Application
from corral.farm.bootstrap import new_farm
from corral.farm.domain.computer.user import user_name
from corral.farm.domain.computer.why import Difference
from corral.farm.domain.estate.address import Address
from corral.farm.domain.estate.farm import ApiUrl, farm_name
from corral.farm.domain.estate.server import server_name
from corral.farm.domain.image.image import image_name
from corral.farm.settings import FarmSettings
from tests.conftest import ON_POSTGRESQL
from tests.engines import Engine
from tests.integration.farm.command import CORRAL, CommandLine
from tests.integration.farm.disks import write_random_disk
from tests.integration.tasks.conftest import wait_until

if TYPE_CHECKING:
    from tests.postgresql import PostgreSQL

DEBIAN, ROGER = image_name("debian"), user_name("rboston")


@dataclass
class Office:
    """A farm with the image ``debian``, the user ``rboston``, and an API process."""

    application: Application
    """The farm as commands open it."""
    corral: CommandLine
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @contextmanager
    def serving(self) -> Iterator[httpx.Client]:
        """Have an API process run."""
        log = self.corral.log.with_name("api.log")
        with log.open("ab") as words:
            process = subprocess.Popen(
                [CORRAL, "serve", "api", "--listen", f"127.0.0.1:{self.port}"],
                env=self.corral.environment(),
                stdin=subprocess.DEVNULL,
                stdout=words,
                stderr=words,
            )
        try:
            with httpx.Client(base_url=self.url, timeout=60.0) as client:
                wait_until("the API answers", lambda: _answers(client, process, log))
                yield client
        finally:
            process.terminate()
            process.wait()

    def engine(self, api: httpx.Client, name: str = "laptop") -> Engine:
        """Give an engine that has registered with a one-time code of rboston's."""
        made = Engine(name)
        made.register(api, self.application.issue_code(ROGER).secret.reveal())
        return made

    def row(self) -> Any:  # noqa: ANN401 - JSON
        """Give what a person is shown of rboston beside the image."""
        (row,) = self.corral.ask("image", "users", "debian")
        return row

    def difference(self) -> Difference | None:
        """Give why what runs is not what is assigned."""
        (view,) = self.application.list_user_images(ROGER)
        return view.difference


def _answers(client: httpx.Client, process: subprocess.Popen[bytes], log: Path) -> bool:
    assert process.poll() is None, log.read_text()
    try:
        return client.get("/v1/health").is_success
    except httpx.TransportError:
        return False


@pytest.fixture(params=["sqlite", ON_POSTGRESQL])
def office(request: pytest.FixtureRequest, tmp_path: Path) -> Office:
    settings = FarmSettings.embedded(tmp_path / "farm")
    if request.param == "postgresql":
        server: PostgreSQL = request.getfixturevalue("postgresql")
        settings = settings.with_database(server.new_database())
    port = free_port()
    application = new_farm(settings)
    application.create_farm(farm_name("small"), (ApiUrl(f"http://127.0.0.1:{port}"),))
    application.add_server(
        NewServer(
            name=server_name("s1"),
            store_path=tmp_path / "store",
            listen=(Address("127.0.0.1", 10_811),),
            chunks_listen=Address("127.0.0.1", 10_901),
        )
    )
    image = tmp_path / "debian.raw"
    write_random_disk(image, 1 << 20)
    application.import_image(ImportRequest(DEBIAN, image), Progress())
    application.add_user(ROGER, "Roger Boston")
    corral = CommandLine(tmp_path / "farm", tmp_path / "corral.log")
    return Office(application, corral, port)
