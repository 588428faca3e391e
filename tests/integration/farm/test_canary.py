"""A canary reads a disk through one server, with the client that devices run."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from corral.farm.adapters.scratch import TemporaryScratch
from corral.farm.adapters.target_client import TargetClient
from corral.farm.application.ports.upgrades import CanaryDisk
from corral.farm.domain.estate.address import Address
from corral.farm.domain.estate.server import server_name
from corral.farm.domain.image.root import RootHash
from tests.integration.farm.client import TARGET
from tests.integration.farm.estate import Estate


@pytest.fixture
def canary(monkeypatch: pytest.MonkeyPatch) -> TargetClient:
    monkeypatch.setenv("PATH", str(Path(TARGET).parent), prepend=":")
    return TargetClient(TemporaryScratch())


@pytest.fixture
def disk(estate: Estate) -> CanaryDisk:
    """What a login gives, of the server ``s2`` alone."""
    answer = estate.log_in().json()
    (server,) = (one for one in answer["servers"] if one["name"] == "s2")
    return CanaryDisk(
        server=server_name("s2"),
        addresses=tuple(map(Address.parse, server["addresses"])),
        tls=server["tls"],
        authority="",
        export=answer["export"],
        root=RootHash(answer["root"]),
        size_bytes=answer["size_bytes"],
        ticket=answer["ticket"],
        expires_at=datetime.fromtimestamp(answer["expires_at"], UTC),
    )


def test_a_disk_that_is_right_is_read_as_a_whole(canary: TargetClient, disk: CanaryDisk) -> None:
    assert canary.is_here
    assert not canary.read(disk)


def test_what_is_wrong_is_told(canary: TargetClient, disk: CanaryDisk) -> None:
    other = RootHash("ab" * 32)
    assert canary.read(replace(disk, root=other))
    forged = f"{disk.ticket[:-8]}AAAAAAAA"
    assert "server s2 refused" in canary.read(replace(disk, ticket=forged))
    nobody = (Address("127.0.0.1", 9),)
    assert "cannot be reached" in canary.read(replace(disk, addresses=nobody))


def test_without_the_client_another_machine_is_left_to_do_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, disk: CanaryDisk
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not TargetClient(TemporaryScratch()).is_here
    assert TargetClient(TemporaryScratch()).read(disk) == "corral-target is not installed"
