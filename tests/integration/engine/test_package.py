"""The engine's Debian package: installed into a folder, started from there, and replaced by a kit.

Nothing of the environment that runs the tests is on the path of what is started here.
"""

import importlib
import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from demo.processes import wait_until

from corral.wire import engine as wire
from tests.integration.engine.computer import Computer
from tests.integration.engine.farm import CODE, SECONDS, SimulatedFarm
from tests.integration.engine.kits import Publisher, engine_wheels

build_deb = importlib.import_module("build_deb")


@dataclass(frozen=True)
class Root:
    """Where a computer's files would be."""

    path: Path

    @property
    def command(self) -> Path:
        return self.path / "usr/bin/corral-engine"

    @property
    def launcher(self) -> Path:
        return self.path / "usr/lib/corral-engine/launcher"

    @property
    def publishers(self) -> Path:
        return self.path / "etc/corral-engine/publishers"

    def dpkg(self, *words: str | Path) -> str:
        """Run dpkg upon this folder, and its scripts outside of it."""
        options = ["--force-script-chrootless", "--force-depends"]
        if os.geteuid():
            options.append("--force-not-root")
        done = subprocess.run(
            ["dpkg", f"--root={self.path}", *options, *words],
            check=False,
            capture_output=True,
            text=True,
            env={"PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"},
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("package")
    tools = folder / "guest-tools-0.8.img"
    tools.write_bytes(bytes(512))
    path: Path = build_deb.build("0.9", folder, guest_tools=tools)
    return path


@pytest.fixture
def root(tmp_path: Path, package: Path) -> Root:
    root = Root(tmp_path / "root")
    (root.path / "var/lib/dpkg").mkdir(parents=True)
    (root.path / "var/lib/dpkg/status").touch()
    root.dpkg("--install", package)
    return root


@pytest.fixture
def computer(tmp_path: Path, root: Root) -> Iterator[Computer]:
    computer = Computer.new(tmp_path / "logs")
    yield computer
    computer.end()


def environment() -> dict[str, str]:
    """Give what a service has."""
    return {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}


def run(root: Root, computer: Computer, *words: str, code: str = "") -> str:
    done = subprocess.run(
        [root.command, "--state", str(computer.state), *words],
        check=False,
        capture_output=True,
        text=True,
        env={**environment(), "CORRAL_ENGINE_CODE": code},
        cwd="/",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_what_is_installed_is_set_up_and_goes_again(root: Root, package: Path) -> None:
    fields = root.dpkg("--status", "corral-engine")
    assert "Status: install ok installed" in fields
    unit = (root.path / "usr/lib/systemd/system/corral-engine.service").read_text()
    # Stopping the service stops the agent and nothing else, and it does not start too early.
    assert "\nKillMode=process\n" in unit
    assert "\nConditionPathExists=/var/lib/corral-engine/farm.json\n" in unit
    state = root.path / "var/lib/corral-engine"
    assert state.stat().st_mode & 0o777 == 0o700
    # What an administrator wrote outlives another installation, and the state a removal.
    root.publishers.write_text("# mine\n")
    (state / "farm.json").touch()
    root.dpkg("--install", package)
    assert root.publishers.read_text() == "# mine\n"
    root.dpkg("--purge", "corral-engine")
    assert not root.publishers.exists()
    assert not (root.path / "usr/lib/corral-engine").exists()
    assert (state / "farm.json").exists()


def test_the_packages_release_runs_until_a_kit_takes_its_place(
    root: Root, computer: Computer, farm: SimulatedFarm, tmp_path: Path
) -> None:
    """The kit holds everything that the engine needs, and nothing is fetched to install it."""
    assert "machine" in run(root, computer, "--help")
    assert run(root, computer, "--version") == "corral-engine 0.9\n"
    publisher = Publisher(tmp_path / "publisher")
    root.publishers.write_text(publisher.publishers.read_text())
    run(root, computer, "register", farm.url, "--name", "pc1", code=CODE)
    computer.agent = computer.programs.start(
        "agent-package",
        [
            *("env", "-i", *(f"{name}={value}" for name, value in environment().items())),
            *(str(root.launcher), "--state", str(computer.state)),
            *("--", "--status", "127.0.0.1:0", "--accelerator", "emulation"),
            *("--publishers", str(root.publishers)),
        ],
    )
    heard = farm.wait_until(lambda one: one.engine.release == "0.9", "the farm did not hear of it")
    assert heard.kit.state is wire.KitState.NONE
    assert heard.engine.guest_tools == "0.8"
    wait_until((computer.state / "run/agent").exists, SECONDS, "the agent does not listen")
    assert json.loads(run(root, computer, "status", "--json"))["release"] == "0.9"

    wheels = tmp_path / "wheels"
    wheels.mkdir()
    kit = publisher.build("0.10", *engine_wheels.write_all(wheels, "0.10"))
    ordered = farm.kit_order("0.10", farm.publish(kit))
    farm.want_kit(ordered)
    heard = farm.wait_until(
        lambda one: one.kit.state is wire.KitState.CURRENT, "the kit did not take its place"
    )
    assert (heard.engine.release, heard.kit.running) == ("0.10", ordered.root)
    # Commands are the release's that is in use, too.
    assert run(root, computer, "--version") == "corral-engine 0.10\n"
    computer.stop_agent()
