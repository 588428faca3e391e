"""Unit tests reach no network: a rule that needs one is in the wrong layer."""

from collections.abc import Iterator

import pytest
from pytest_socket import disable_socket, enable_socket


@pytest.fixture(autouse=True)
def _no_network(request: pytest.FixtureRequest) -> Iterator[None]:
    # Those that a database server is started for look for a free port of the loopback.
    if request.node.get_closest_marker("postgresql") is None:
        # An event loop wakes itself through a pair of unix sockets; that is no network.
        disable_socket(allow_unix_socket=True)
    yield
    enable_socket()
