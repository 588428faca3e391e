"""One image and one stream server for all tests of this folder."""

from collections.abc import Iterator

import pytest

from tests.e2e.interop.disk import Disk, make_disk
from tests.e2e.interop.serving import Served, serve


@pytest.fixture(scope="session")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Disk:
    return make_disk(tmp_path_factory.mktemp("disk"))


@pytest.fixture(scope="session")
def served(disk: Disk, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serve(disk, tmp_path_factory.mktemp("served")) as served:
        yield served


@pytest.fixture(params=["unix", "tcp"])
def uri(request: pytest.FixtureRequest, served: Served) -> str:
    """The image's address over each transport in turn."""
    return served.uri(request.param)
