from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from tests.unit.farm.domain.farms import DEBIAN, device, host, placement, placements

from corral.farm.domain.check.check import check
from corral.farm.domain.check.finding import Kind, Severity
from corral.farm.domain.check.inventory import (
    Inventory,
    SeenDevice,
    SeenOverlay,
    SeenReplica,
    SeenServer,
    SeenVersion,
)
from corral.farm.domain.delivery.device import device_name
from corral.farm.domain.delivery.placement import Placement
from corral.farm.domain.estate.server import server_name
from corral.farm.domain.image.image import image_name
from corral.farm.domain.image.replica import ReplicaState
from corral.farm.domain.image.root import RootHash

EMPTY = Inventory(Placement((), ()))
S1, S2 = server_name("s1"), server_name("s2")
GIB = 1 << 30


def found(inventory: Inventory) -> dict[str, tuple[str, str]]:
    """Give what was found by code, but for what every farm is told."""
    return {
        one.kind.code: (one.thing, one.message)
        for one in check(inventory)
        if one.kind is not Kind.BACKUP_MISSING
    }


def of_server(**facts: object) -> dict[str, tuple[str, str]]:
    plain = SeenServer(S1, is_online=True)
    seen = replace(plain, **facts)  # type: ignore[arg-type] # each test names fields of SeenServer
    return found(replace(EMPTY, servers=(seen,)))


def of_version(*replicas: SeenReplica, running: int = 0, starting: int = 0) -> dict[str, object]:
    version = SeenVersion(DEBIAN, RootHash("0" * 64), replicas, running, starting)
    return dict(found(replace(EMPTY, versions=(version,))))


def replica(
    name: str, state: ReplicaState = ReplicaState.COMPLETE, *, online: bool = True
) -> SeenReplica:
    return SeenReplica(server_name(name), online, state, "a disk fails" if state == "stuck" else "")


def test_a_farm_without_anything_is_only_told_of_backups() -> None:
    (only,) = check(EMPTY)
    assert only.kind is Kind.BACKUP_MISSING
    assert only.kind.severity is Severity.NOTICE


@pytest.mark.parametrize(
    ("seconds", "code"),
    [
        (0, None),
        (29, None),
        (30, "clock-drifts"),
        (-45, "clock-drifts"),
        (300, "clock-wrong"),
        (600, "clock-wrong"),
        (-600, "clock-wrong"),
    ],
)
def test_clocks(seconds: int, code: str | None) -> None:
    said = of_server(clock_offset=timedelta(seconds=seconds))
    assert set(said) == ({code} if code else set())
    if code:
        assert f"{abs(seconds)} s {'ahead' if seconds > 0 else 'behind'}" in said[code][1]


@pytest.mark.parametrize(
    ("free", "code"),
    [
        (None, None),
        (20 * GIB, None),
        (20 * GIB - 1, "store-nearly-full"),
        (2 * GIB - 1, "store-full"),
    ],
)
def test_disk_space(free: int | None, code: str | None) -> None:
    assert set(of_server(free_bytes=free)) == ({code} if code else set())


def test_states_of_servers() -> None:
    assert of_server(is_online=False)["server-silent"][0] == "server s1"
    assert "server-maintenance" in of_server(is_in_maintenance=True)
    assert "server-draining" in of_server(is_draining=True)
    assert "3 of its sessions" in of_server(unknown_sessions=3)["unknown-sessions"][1]


def test_versions_in_use_need_two_servers() -> None:
    assert of_version(replica("s1"), replica("s2"), running=1) == {}
    assert set(of_version(replica("s1"), starting=1)) == {"version-on-one-server"}
    assert set(of_version(replica("s1", online=False), running=1)) == {"version-unserved"}
    assert of_version() == {}


def test_replicas_out_of_step() -> None:
    fetching = replica("s2", ReplicaState.FETCHING)
    assert set(of_version(replica("s1"), fetching)) == {"replica-behind"}
    damaged = replica("s2", ReplicaState.DAMAGED)
    both = replica("s1"), replica("s3")
    assert set(of_version(*both, damaged, running=1)) == {"replica-damaged"}
    assert set(of_version(*both, damaged)) == {"replica-stuck"}
    said = of_version(*both, replica("s2", ReplicaState.STUCK))
    assert "on s2 it is stuck: a disk fails" in str(said["replica-stuck"])


def test_devices_need_two_servers_of_their_login() -> None:
    def of_device(**facts: object) -> dict[str, tuple[str, str]]:
        plain = SeenDevice(device_name("pc1"), (S1, S2))
        seen = replace(plain, **facts)  # type: ignore[arg-type] # fields of SeenDevice
        return found(replace(EMPTY, devices=(seen,)))

    assert of_device() == {}
    assert of_device(servers=(S1,))["device-one-server"][1] == "its login would name s1 only"
    assert of_device(servers=(S1,), is_bound=True) == {}
    assert of_device(servers=(), refusal="no image")["device-cannot-start"][1] == "no image"
    assert of_device(cache_warning="write cache is 90 % full")["write-cache"][0] == "device pc1"


def test_a_loss_that_would_strand_devices_names_them_and_why() -> None:
    hosts = [host(1), host(2)]
    placed = placement(hosts, [device(1, 1, 1), device(2, 1, 1, 2), device(3, 2, 1, 2)])
    said = found(replace(EMPTY, placement=placed))
    assert said == {
        "loss-strands-devices": (
            "server s1",
            (
                "its loss would strand pc1 (debian/1): no other server that takes devices holds all"
                " bytes of its version"
            ),
        )
    }


def test_the_rest() -> None:
    overlay = SeenOverlay("pc1", "s1", "it is full")
    assert "overlay-failed" in found(replace(EMPTY, troubled_overlays=(overlay,)))
    assert found(replace(EMPTY, pins=((image_name("debian"), 2),)))["image-pinned"] == (
        "image debian",
        "its devices start debian/2 only",
    )
    assert "database-read-only" in found(replace(EMPTY, is_database_writable=False))


@given(placements())
def test_findings_come_worst_first_whatever_the_farm_is_like(placed: Placement) -> None:
    severities = [one.kind.severity for one in check(replace(EMPTY, placement=placed))]
    order = list(Severity)
    assert severities == sorted(severities, key=order.index)


def test_codes_are_kebab_case_and_told_once() -> None:
    codes = [kind.code for kind in Kind]
    assert len(set(codes)) == len(codes)
    assert all(code == code.lower() and " " not in code for code in codes)
