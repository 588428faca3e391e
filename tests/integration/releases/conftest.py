"""A farm whose server ``s1`` runs under a supervisor, and ``s2`` by itself."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.gates import Gates
from tests.integration.farm.estate import Estate
from tests.integration.releases.kits import Publisher
from tests.integration.releases.machine import Machine, Orders


@dataclass
class Farm:
    """The farm; both servers have the image."""

    estate: Estate
    publisher: Publisher
    orders: Orders
    folder: Path
    """Where the machines of a test are."""
    _kits: dict[str, dict[str, Any]] = field(default_factory=dict)
    _machines: list[Machine] = field(default_factory=list)

    @classmethod
    def at(cls, home: Path) -> "Farm":
        estate = Estate.at(home)
        return cls(estate, Publisher(home / "publisher"), Orders(estate.corral), home)

    def build(self) -> None:
        estate = self.estate
        estate.build()
        estate.kill("s1")
        estate.corral.ask("library", "trust", "add", "us", self.publisher.public_key)
        # So that kits come to the other server by themselves.
        estate.corral.ask("replication", "policy", "default", "2")

    def machine(self, path: Path | None = None, prove_within: float = 60.0) -> Machine:
        """Give the machine of ``s1``, with nothing beside its package."""
        machine = Machine(
            path or self.folder / "releases",
            self.estate.programs,
            self.estate.servers["s1"].file,
            self.publisher.publishers,
            prove_within,
        )
        self._machines.append(machine)
        return machine

    def has(self, kind: str) -> dict[str, Any]:
        """Have a kit in the library, from where it comes to ``s1``; give it as orders name it."""
        publisher = self.publisher
        if kind not in self._kits:
            match kind:
                case "dies":
                    self._import(kind, "2.1", publisher.dies("2.1"))
                case "hangs":
                    self._import(kind, "2.2", publisher.hangs("2.2"))
                case "misreads":
                    self._import(kind, "2.3", publisher.misreads("2.3"))
                case "whole":
                    self._import(kind, "2.4", publisher.whole("2.4"))
                case release:
                    self._import(release, release, publisher.build(release))
        return self._kits[kind]

    def gated(self, release: str, gates: Gates) -> dict[str, Any]:
        """Have one that waits at gates."""
        return self._import(release, release, self.publisher.gated(release, gates))

    def end_test(self) -> None:
        self.estate.end_clients()
        while self._machines:
            self._machines.pop().stop()
        self.orders.forget()

    def _import(self, kind: str, release: str, file: Path) -> dict[str, Any]:
        item = self.estate.corral.ask("library", "import", str(file), "--server", "s2")
        self._kits[kind] = {
            "release": release,
            "root": item["root"],
            "size_bytes": item["size_bytes"],
            "name": item["version"],
        }
        return self._kits[kind]


@pytest.fixture(scope="session")
def built_farm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Farm]:
    farm = Farm.at(tmp_path_factory.mktemp("farm"))
    try:
        farm.build()
        yield farm
    finally:
        farm.estate.end()


@pytest.fixture
def farm(built_farm: Farm, tmp_path: Path) -> Iterator[Farm]:
    built_farm.folder = tmp_path
    yield built_farm
    built_farm.end_test()


@pytest.fixture
def gates(tmp_path: Path) -> Gates:
    folder = tmp_path / "gates"
    folder.mkdir()
    return Gates(folder, "stream")
