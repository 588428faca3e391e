"""A server's certificate: asked for when it is time, and not all the time."""

from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest

from corral.farm.adapters.memory.sources import MemoryClock
from corral.farm.domain.estate.certificate import LIFE, RENEW_WITHIN
from corral.farm.entrypoints.stream.certificate import CertificateKeeper
from corral.wire.server import ServerCertificate, ServerConfiguration

YEAR = timedelta(days=365)


def wanted(*hosts: str) -> ServerConfiguration:
    return ServerConfiguration(
        farm=UUID(int=1),
        generation=1,
        farm_public_key="",
        server="s1",
        exports=(),
        replicas=(),
        replication_ticket="",
        certificate_hosts=hosts,
        certificate_authority="root",
    )


class Server:
    """A stream process that follows its farm, whose clock may be another."""

    def __init__(self, folder: Path) -> None:
        self.clock = MemoryClock()
        self.ahead = timedelta(0)
        self.asked = 0
        self.file = folder / "s1.json"
        self.keeper = CertificateKeeper(self.file, self.clock)

    def certify(self, public_key: str) -> ServerCertificate:
        assert "PUBLIC KEY" in public_key
        self.asked += 1
        ends_at = self.clock.now() + self.ahead + LIFE
        return ServerCertificate(
            certificate="PEM", hosts=("192.0.2.1",), ends_at=int(ends_at.timestamp())
        )

    def follow(self, after: timedelta = timedelta(seconds=1)) -> int:
        """Go on for a while, then ask if need be; give how often it asked in all."""
        self.clock.advance(after)
        self.keeper.follow(wanted("192.0.2.1"), self.certify)
        return self.asked


@pytest.fixture
def server(tmp_path: Path) -> Server:
    return Server(tmp_path)


def test_it_is_asked_for_once_and_again_before_it_ends(server: Server) -> None:
    assert [server.follow() for _ in range(3)] == [1, 1, 1]
    assert server.follow(LIFE - RENEW_WITHIN) == 2
    assert server.follow() == 2


@pytest.mark.parametrize("ahead", [YEAR, -YEAR])
def test_clocks_that_are_far_apart_have_nobody_ask_all_the_time(
    server: Server, ahead: timedelta
) -> None:
    server.ahead = ahead
    assert [server.follow() for _ in range(3)] == [1, 1, 1]
    assert server.follow(timedelta(hours=2)) == 2


def test_one_that_was_made_by_a_clock_far_ahead_is_asked_for_again(server: Server) -> None:
    server.ahead = YEAR
    server.follow()
    server.ahead = timedelta(0)
    server.keeper = CertificateKeeper(server.file, server.clock)
    server.keeper.load()
    assert server.follow() == 2
    assert [server.follow() for _ in range(3)] == [2, 2, 2]
