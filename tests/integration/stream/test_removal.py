"""A version that is deleted while a server elsewhere is away, with real processes."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from demo.processes import Program, Programs, free_port, wait_until

CORRAL = Path(sys.executable).with_name("corral")
CHUNK = 65_536
SECONDS = 60.0


class Farm:
    """A farm with its API and two servers; the store of ``s2`` is not where the farm thinks."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.programs = Programs(folder)
        self.running: dict[str, Program] = {}
        api = free_port()
        self.ask("farm", "create", "home", "--api", f"http://127.0.0.1:{api}")
        for name in ("s1", "s2"):
            listen, chunks = (f"127.0.0.1:{free_port()}" for _ in range(2))
            store = str(folder / name)
            self.ask(
                *("server", "add", name, "--store", store, "--listen", listen, "--chunks", chunks)
            )
        self.elsewhere = folder / "elsewhere"
        (folder / "s2").rename(self.elsewhere)
        file = self.server_file("s2")
        said = json.loads(file.read_text())
        file.write_text(json.dumps({**said, "store": str(self.elsewhere)}))
        self.start(
            "api", "serve", "api", "--farm", str(folder / "farm"), "--listen", f"127.0.0.1:{api}"
        )

    def server_file(self, name: str) -> Path:
        return self.folder / "farm" / "servers" / f"{name}.json"

    def ask(self, *arguments: str) -> Any:  # noqa: ANN401 - JSON
        done = subprocess.run(
            [CORRAL, *arguments, "--farm", self.folder / "farm", "--json"],
            check=False,
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def start(self, name: str, *arguments: str) -> None:
        self.running[name] = self.programs.start(name, [str(CORRAL), *arguments])

    def start_server(self, name: str) -> None:
        self.start(name, "serve", "stream", "--config", str(self.server_file(name)))

    def kill(self, name: str) -> None:
        self.running.pop(name).kill()

    def states(self) -> dict[str, str]:
        """Every version that the image still lists."""
        versions = self.ask("image", "show", "debian")["versions"]
        return {one["version"]: one["state"] for one in versions}


@pytest.fixture
def farm(tmp_path: Path) -> Iterator[Farm]:
    farm = Farm(tmp_path)
    try:
        yield farm
    finally:
        farm.programs.stop_all()


def holds(store: Path, root: str) -> bool:
    return any(
        root in file.name for part in ("manifests", "flat") for file in (store / part).iterdir()
    )


def test_a_server_that_was_away_removes_the_version_at_its_return(
    farm: Farm, tmp_path: Path
) -> None:
    disk = tmp_path / "disk.raw"
    content = os.urandom(8 * CHUNK)
    disk.write_bytes(content)
    root = farm.ask("image", "import", "debian", str(disk), "--format", "raw")["root"]
    disk.write_bytes(content[:-1] + b"!")
    kept = farm.ask("image", "import", "debian", str(disk), "--format", "raw")["root"]
    farm.start_server("s1")
    farm.start_server("s2")
    for version in ("debian/1", "debian/2"):
        farm.ask("image", "replicate", version, "--to", "s2", "--wait")
    assert holds(farm.elsewhere, root)
    farm.kill("s2")

    deletion = farm.ask("image", "delete", "debian/1", "--yes")
    assert (deletion["state"], deletion["removed_from"]) == ("deleting", ["s1"])
    assert [one["server"] for one in deletion["waiting_for"]] == ["s2"]
    assert not holds(tmp_path / "s1", root)
    assert holds(farm.elsewhere, root)

    farm.start_server("s2")
    wait_until(lambda: farm.states() == {"debian/2": "published"}, SECONDS, "not deleted")
    assert not holds(farm.elsewhere, root)
    assert holds(farm.elsewhere, kept)

    # What was removed can come back: s2 fetches it again, and a restart does not remove it.
    disk.write_bytes(content)
    assert farm.ask("image", "import", "debian", str(disk), "--format", "raw")["root"] == root
    farm.ask("image", "replicate", "debian/3", "--to", "s2", "--wait")
    farm.kill("s2")
    farm.start_server("s2")
    wait_until(lambda: farm.ask("server", "show", "s2")["state"] == "online", SECONDS, "s2 is away")
    assert holds(farm.elsewhere, root)
