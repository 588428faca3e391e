"""A real farm with users, an image and a process that serves the API."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from demo.processes import Programs, free_port, wait_until

from bench.process import cpu_seconds, memory_bytes
from corral.farm.application.import_image import ImportRequest
from corral.farm.application.ports.disk_files import DiskFormat
from corral.farm.application.progress import Progress
from corral.farm.application.start_rollout import RolloutRequest
from corral.farm.application.verbs import Application
from corral.farm.bootstrap import open_farm
from corral.farm.domain.computer.user import user_group_name, user_name
from corral.farm.domain.image.image import image_name
from corral.farm.domain.image.version import Access, VersionName
from corral.farm.domain.rollout.rollout import rollout_name
from corral.farm.domain.rollout.state import RolloutState
from corral.farm.domain.rollout.terms import read_terms
from corral.farm.settings import FarmSettings

IMAGE = image_name("golden")
EVERYBODY = user_group_name("everybody")
ROLLOUT = rollout_name("to-all")
TERMS = """{"waves": [
  {"name": "tenth", "upto_percent": 10, "gate": {"soak_seconds": 1}},
  {"name": "all", "upto_percent": 100, "gate": {"soak_seconds": 1}}
]}"""
_CORRAL = str(Path(sys.executable).with_name("corral"))
_SECONDS = 60.0


def user_of(number: int) -> str:
    """Give the name of a computer's user."""
    return f"user-{number}"


@dataclass
class Farm:
    """Seen from its folder, and from its API."""

    folder: Path
    url: str
    api_pid: int
    application: Application

    def cpu_seconds(self) -> float:
        """Give what the API's process has taken of the processor so far."""
        return cpu_seconds(self.api_pid)

    def memory_bytes(self) -> int:
        """Give what the API's process has in memory."""
        return memory_bytes(self.api_pid)

    def publish(self, to: Access) -> VersionName:
        """Publish another version."""
        disk = self.folder / "disk.raw"
        disk.write_bytes(os.urandom(1 << 20))
        request = ImportRequest(IMAGE, disk, DiskFormat.RAW, to=to)
        return self.application.import_image(request, Progress()).version.name

    def admit(self, computers: int) -> str:
        """Add a user for each computer, give all of them the image, and give a one-time code."""
        names = [user_name(user_of(number)) for number in range(computers)]
        for name in names:
            self.application.add_user(name)
        self.application.add_user_group(EVERYBODY, names)
        self.application.assign_image(IMAGE, groups=[EVERYBODY])
        return self.application.issue_code(None, uses=computers).secret.reveal()

    def roll_out(self) -> None:
        """Publish a version for test, and give it to everybody in two waves."""
        version = self.publish(Access.TEST)
        self.application.start_rollout(RolloutRequest(ROLLOUT, version, read_terms(TERMS)))

    def is_rolled_out(self) -> bool:
        """Whether every gate has passed."""
        rollout = self.application.show_rollout(ROLLOUT).view.rollout
        return rollout.state is RolloutState.COMPLETE


@contextmanager
def running_farm(folder: Path) -> Iterator[Farm]:
    """Make a farm with one version of an image, and serve its API until the block ends."""
    home, url = folder / "farm", f"http://127.0.0.1:{free_port()}"
    _run("farm", "create", "fleet", "--farm", home, "--api", url)
    addresses = [f"127.0.0.1:{free_port()}" for _ in range(2)]
    options = ("--store", folder / "store", "--listen", addresses[0], "--chunks", addresses[1])
    _run("server", "add", "s1", *options, "--farm", home)
    programs = Programs(folder)
    listen = url.removeprefix("http://")
    command = [_CORRAL, "serve", "api", "--farm", str(home), "--listen", listen]
    api = programs.start("api", command)
    try:
        farm = Farm(folder, url, api.pid, open_farm(FarmSettings.read(home, {})))
        farm.publish(Access.PRODUCTION)
        wait_until(lambda: _answers(url), _SECONDS, "the API does not answer")
        yield farm
    finally:
        programs.stop_all()


def _run(*words: str | Path) -> None:
    subprocess.run([_CORRAL, *map(str, words)], check=True, stdout=subprocess.DEVNULL)


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/v1/openapi.json", timeout=_SECONDS).status_code > 0
    except httpx.TransportError:
        return False
