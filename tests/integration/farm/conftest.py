"""One farm of real processes for all tests of this folder; each finds it whole."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.farm.command import CommandLine
from tests.integration.farm.estate import Estate


@pytest.fixture(scope="session")
def built_estate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Estate]:
    estate = Estate.at(tmp_path_factory.mktemp("estate"))
    try:
        estate.build()
        yield estate
    finally:
        estate.end()


@pytest.fixture
def estate(built_estate: Estate) -> Iterator[Estate]:
    """API and both servers up, the image on both; whatever a test kills is started again."""
    built_estate.bring_up()
    yield built_estate
    built_estate.end_clients()


@pytest.fixture
def corral(tmp_path: Path) -> CommandLine:
    """A farm without processes, with a server ``s1`` whose store is ``tmp_path/store``."""
    return farm_at(tmp_path, tmp_path / "store")


def farm_at(home: Path, store: Path) -> CommandLine:
    corral = CommandLine(home / "farm", home / "corral.log")
    corral.ask("farm", "create", "small")
    add_server(corral, "s1", store)
    return corral


def add_server(corral: CommandLine, name: str, store: Path) -> None:
    corral.ask("server", "add", name, *server_options(store))


def server_options(store: Path) -> list[str]:
    """Nobody listens in these farms, so that the ports do not matter."""
    return [
        *("--store", str(store)),
        *("--listen", "127.0.0.1:10811", "--chunks", "127.0.0.1:10901"),
    ]
