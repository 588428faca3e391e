from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from tests.unit.farm.domain.farms import DEBIAN, FARM_WIDE, device, host, placement, placements

from corral.farm.domain.check.check import check
from corral.farm.domain.check.finding import Kind, Severity
from corral.farm.domain.check.inventory import (
    Inventory,
    SeenBackups,
    SeenDevice,
    SeenListener,
    SeenOverlay,
    SeenReplica,
    SeenServer,
    SeenTasks,
    SeenVersion,
)
from corral.farm.domain.delivery.device import device_name
from corral.farm.domain.delivery.placement import Placement
from corral.farm.domain.delivery.rebalance import BalanceRules
from corral.farm.domain.estate.address import Address
from corral.farm.domain.estate.server import ServerName, server_name
from corral.farm.domain.image.image import image_name
from corral.farm.domain.image.replica import ReplicaState
from corral.farm.domain.image.root import RootHash

EMPTY = Inventory(Placement((), ()), login_addresses=("http://192.0.2.1:10800", "192.0.2.10:10811"))
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
    name: str,
    state: ReplicaState = ReplicaState.COMPLETE,
    *,
    takes_devices: bool = True,
    refusal: str = "",
) -> SeenReplica:
    problem = "a disk fails" if state == "stuck" else ""
    return SeenReplica(server_name(name), takes_devices, state, problem, refusal)


def of_addresses(*listeners: SeenListener) -> list[tuple[str, str]]:
    findings = check(replace(EMPTY, listeners=listeners))
    return [(one.thing, one.message) for one in findings if one.kind is Kind.ADDRESSES_SHARED]


def listener(server: ServerName, use: str, listen: str, advertised: str = "") -> SeenListener:
    at = Address.parse(listen)
    return SeenListener(server, use, (at,), (Address.parse(advertised) if advertised else at,))


def test_two_servers_at_one_address_are_both_named() -> None:
    shared = of_addresses(
        listener(S1, "devices", "0.0.0.0:10809", "192.0.2.10:10809"),
        listener(S1, "chunks", "0.0.0.0:10901", "192.0.2.10:10901"),
        listener(S2, "devices", "0.0.0.0:10809", "192.0.2.11:10809"),
        listener(S2, "chunks", "0.0.0.0:10901", "192.0.2.10:10809"),
    )
    said = "s1 (devices) and s2 (chunks) are said to be reached at it"
    assert shared == [("address 192.0.2.10:10809", said)]


def test_loopback_is_another_place_on_every_machine_and_one_on_each() -> None:
    apart = (
        listener(S1, "devices", "127.0.0.1:10809"),
        listener(S2, "devices", "127.0.0.1:10809"),
        listener(S1, "chunks", "[::1]:10809"),
    )
    assert of_addresses(*apart) == []
    (only,) = of_addresses(*apart, listener(S1, "logins", "127.0.0.1:10809"))
    assert only[1].startswith("s1 (devices) and s1 (logins)")


def test_a_server_cannot_listen_twice_at_one_place_whatever_it_advertises() -> None:
    everywhere = listener(S1, "devices", "0.0.0.0:10809", "192.0.2.10:10809")
    chunks = "192.0.2.10:10809"
    shared = of_addresses(everywhere, listener(S1, "chunks", chunks, "198.51.100.1:10901"))
    assert shared == [
        (f"address {chunks}", "s1 (devices) and s1 (chunks) listen there on one machine")
    ]
    # The wildcard of IPv6 leaves IPv4 free, and another port is another place.
    assert of_addresses(everywhere, listener(S1, "chunks", "[::]:10809", "[2001:db8::1]:1")) == []
    assert of_addresses(everywhere, listener(S1, "chunks", "0.0.0.0:10901", "192.0.2.10:1")) == []
    # Told once, though they both listen and are advertised there.
    assert len(of_addresses(everywhere, listener(S1, "chunks", chunks))) == 1


def test_a_farm_without_anything_is_only_told_of_backups() -> None:
    (only,) = check(EMPTY)
    assert only.kind is Kind.BACKUP_MISSING
    assert only.kind.severity is Severity.WARNING


def of_backups(days: float, *, verified: bool) -> list[tuple[Kind, Severity]]:
    seen = SeenBackups(timedelta(days=days), is_any_verified=verified, too_old=timedelta(days=2))
    return [(one.kind, one.kind.severity) for one in check(replace(EMPTY, backups=seen))]


def test_backups_are_judged_by_their_age_and_whether_one_was_verified() -> None:
    old = (Kind.BACKUP_OLD, Severity.WARNING)
    unverified = (Kind.BACKUP_UNVERIFIED, Severity.NOTICE)
    assert of_backups(1, verified=True) == []
    assert of_backups(2, verified=False) == [unverified]
    assert of_backups(2.1, verified=True) == [old]
    assert of_backups(30, verified=False) == [old, unverified]


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


@pytest.mark.parametrize(
    ("days", "code"),
    [
        (None, None),
        (15, None),
        (14, "certificate-expires-soon"),
        (0.1, "certificate-expires-soon"),
        (0, "certificate-expired"),
        (-20, "certificate-expired"),
    ],
)
def test_certificates(days: float | None, code: str | None) -> None:
    left = None if days is None else timedelta(days=days)
    assert set(of_server(certificate_left=left)) == ({code} if code else set())
    of_api = found(replace(EMPTY, api_certificate_left=left))
    assert of_api.get(str(code), ("API",))[0] == "API"
    assert bool(of_api) == bool(code)


def test_who_can_be_listened_to_is_told() -> None:
    assert of_server(is_plain=True)["connections-plain"][0] == "server s1"


def test_states_of_servers() -> None:
    assert of_server(is_online=False)["server-silent"][0] == "server s1"
    assert "server-maintenance" in of_server(is_in_maintenance=True)
    assert "server-draining" in of_server(is_draining=True)
    assert "3 of its sessions" in of_server(unknown_sessions=3)["unknown-sessions"][1]


def test_versions_in_use_need_two_servers() -> None:
    assert of_version(replica("s1"), replica("s2"), running=1) == {}
    assert set(of_version(replica("s1"), starting=1)) == {"version-on-one-server"}
    assert set(of_version(replica("s1", takes_devices=False), running=1)) == {"version-unserved"}
    drained = replica("s2", takes_devices=False)
    assert set(of_version(replica("s1"), drained, running=1)) == {"version-on-one-server"}
    assert of_version() == {}


def test_a_server_that_does_not_offer_what_it_holds_cannot_serve_it() -> None:
    refusing = replica("s2", refusal="no space left (disk-full)")
    said = of_version(replica("s1"), refusing, running=1)
    assert set(said) == {"export-refused", "version-on-one-server"}
    message = "s2 does not offer it: no space left (disk-full)"
    assert said["export-refused"] == ("version debian/1", message)
    assert set(of_version(refusing, running=1)) == {"export-refused", "version-unserved"}


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


def test_devices_need_two_addresses_to_log_in_at() -> None:
    one = replace(EMPTY, login_addresses=("http://192.0.2.1:10800",))
    assert found(one) == {}
    said = found(replace(one, devices=(SeenDevice(device_name("pc1"), (S1, S2)),)))
    message = "its devices can log in at http://192.0.2.1:10800 only"
    assert said == {"login-one-address": ("farm", message)}


@pytest.mark.parametrize(
    ("tasks", "codes"),
    [
        (SeenTasks(), set()),
        (SeenTasks(waiting=1, is_worker_alive=True), set()),
        (SeenTasks(waiting=1), {"no-worker"}),
        (SeenTasks(schedules=1), {"no-worker"}),
    ],
)
def test_who_has_work_needs_a_worker(tasks: SeenTasks, codes: set[str]) -> None:
    assert set(found(replace(EMPTY, tasks=tasks))) == codes


def test_balance_is_looked_at_by_its_own_rules() -> None:
    by_hand = replace(EMPTY, balance=BalanceRules(is_automatic=False))
    assert set(found(by_hand)) == {"balance-off"}
    crowd = [device(number, 1, 1, 2) for number in range(20)]
    uneven = replace(EMPTY, placement=placement([host(1), host(2)], crowd))
    (one,) = (one for one in check(uneven) if one.kind is Kind.LOAD_UNEVEN)
    assert (one.thing, len(one.devices)) == ("server s1", 10)
    assert one.message == "10 of its 20 devices should read from others"
    few = replace(EMPTY, placement=placement([host(1), host(2)], crowd[:4]))
    assert found(few) == {}


def test_a_loss_that_would_strand_many_names_all_of_them_to_programs() -> None:
    placed = placement([host(1), host(2)], [device(number, 1, 1) for number in range(1, 10)])
    (one,) = (o for o in check(replace(EMPTY, placement=placed)) if o.kind is Kind.LOSS_STRANDS)
    assert one.devices == tuple(f"pc{number}" for number in range(1, 10))
    assert "and 4 more" in one.message


def test_a_loss_that_would_strand_devices_names_them_and_why() -> None:
    hosts = [host(1), host(2)]
    placed = placement(hosts, [device(1, 1, 1), device(2, 1, 1, 2), device(3, 2, 1, 2)])
    said = found(replace(EMPTY, placement=placed))
    assert said == {
        "loss-strands-devices": (
            "server s1",
            (
                "its loss would strand pc1 (debian/1): no other server that takes devices and that"
                " it may use holds all of its version"
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


@FARM_WIDE
@given(placements())
def test_findings_come_worst_first_whatever_the_farm_is_like(placed: Placement) -> None:
    severities = [one.kind.severity for one in check(replace(EMPTY, placement=placed))]
    order = list(Severity)
    assert severities == sorted(severities, key=order.index)


def test_codes_are_kebab_case_and_told_once() -> None:
    codes = [kind.code for kind in Kind]
    assert len(set(codes)) == len(codes)
    assert all(code == code.lower() and " " not in code for code in codes)
