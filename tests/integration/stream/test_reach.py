"""Knocking at real ports."""

import socket

from corral.farm.adapters.reach import TcpReach
from corral.farm.domain.estate.address import Address


def test_a_port_at_which_somebody_listens_is_told_from_one_at_which_nobody_does() -> None:
    with socket.create_server(("127.0.0.1", 0)) as open_port, socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # taken, and nobody listens
        there, nobody = (Address("127.0.0.1", one.getsockname()[1]) for one in (open_port, closed))
        reach = TcpReach()
        assert reach.unanswered([there, nobody, there]) == {nobody: "connection refused"}
        assert reach.unanswered([there]) == {}
        assert reach.unanswered([]) == {}
