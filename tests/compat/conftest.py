"""Three releases side by side, and a farm that they share."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from demo.processes import Programs

from tests import releases as made
from tests.compat.shared_farm import SharedFarm
from tests.conftest import ON_POSTGRESQL

if TYPE_CHECKING:
    from tests.postgresql import PostgreSQL


@dataclass(frozen=True)
class Releases:
    """N-1, N and N+1."""

    old: made.Installed
    new: made.Installed
    next: made.Installed


@pytest.fixture(scope="session")
def releases(tmp_path_factory: pytest.TempPathFactory) -> Releases:
    folder = tmp_path_factory.mktemp("releases")
    return Releases(*(made.lay_out(one, folder) for one in (made.OLD, made.NEW, made.NEXT)))


@pytest.fixture
def programs(tmp_path: Path) -> Iterator[Programs]:
    """What a test has running, with the logs beside."""
    logs = tmp_path / "logs"
    logs.mkdir()
    started = Programs(logs)
    yield started
    started.stop_all()


@pytest.fixture(params=["sqlite", ON_POSTGRESQL])
def farm(request: pytest.FixtureRequest, tmp_path: Path, programs: Programs) -> SharedFarm:
    """A farm that is still to be created."""
    database = ""
    if request.param == "postgresql":
        server: PostgreSQL = request.getfixturevalue("postgresql")
        database = server.new_database()
    return SharedFarm(tmp_path, database, programs)
