"""Unit tests reach no network: a rule that needs one is in the wrong layer."""

from collections.abc import Iterator

import pytest
from pytest_socket import disable_socket, enable_socket


@pytest.fixture(autouse=True)
def _no_network() -> Iterator[None]:
    # An event loop wakes itself through a pair of unix sockets; that is no network.
    disable_socket(allow_unix_socket=True)
    yield
    enable_socket()
