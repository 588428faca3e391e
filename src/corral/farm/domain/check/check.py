"""The farm check itself: an inventory in, findings out."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from corral.farm.domain.check.addresses import shared_addresses
from corral.farm.domain.check.computers import of_computers
from corral.farm.domain.check.finding import Finding, Kind, NotApplicable, Severity
from corral.farm.domain.delivery.rebalance import Occasion, plan_rebalance
from corral.farm.domain.delivery.safety import stranded_by_loss
from corral.farm.domain.estate.certificate import WARN_WITHIN
from corral.farm.domain.image.replica import ReplicaState
from corral.farm.domain.naming import some_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from corral.farm.domain.check.inventory import (
        Inventory,
        SeenBackups,
        SeenDevice,
        SeenReplica,
        SeenServer,
        SeenTasks,
        SeenVersion,
    )
    from corral.farm.domain.delivery.placement import PlacedDevice
    from corral.farm.domain.delivery.safety import Lack

CLOCK_DRIFTS: Final = timedelta(seconds=30)
CLOCK_WRONG: Final = timedelta(minutes=5)
_GIB: Final = 1 << 30
STORE_NEARLY_FULL: Final = 20 * _GIB
STORE_FULL: Final = 2 * _GIB

NOT_APPLICABLE: Final = (
    NotApplicable(
        "stores of two farms",
        "a server refuses to open another farm's store (store-other-farm), so none can be in use",
    ),
)
"""What the classic list asks for and this farm has not."""


def check(seen: Inventory) -> tuple[Finding, ...]:
    """Give everything that is not as it should be, worst first, then by what it is about."""
    findings = [
        *(one for server in seen.servers for one in _of_server(server)),
        *shared_addresses(seen.listeners),
        *_of_losses(seen),
        *(one for version in seen.versions for one in _of_version(version)),
        *(one for device in seen.devices for one in _of_device(device)),
        *(
            Finding(
                Kind.OVERLAY_FAILED,
                f"device {overlay.device}",
                f"what it writes on {overlay.server}: {overlay.problem}",
            )
            for overlay in seen.troubled_overlays
        ),
        *(
            Finding(Kind.IMAGE_PINNED, f"image {image}", f"its devices start {image}/{number} only")
            for image, number in seen.pins
        ),
        *(
            Finding(Kind.IMAGE_ONLY_SERVER, f"image {image}", f"its devices may use {server} only")
            for image, server in seen.only_servers
        ),
        *_of_certificate("API", seen.api_certificate_left),
        *_of_backups(seen.backups),
        *_of_logins(seen),
        *_of_balance(seen),
        *_of_tasks(seen.tasks),
        *of_computers(seen.computers),
    ]
    if seen.observing:
        findings.append(Finding(Kind.FARM_OBSERVES, "farm", seen.observing))
    if not seen.is_database_writable:
        findings.append(
            Finding(Kind.DATABASE_READ_ONLY, "farm", "a change could not be written and undone")
        )
    order = list(Severity)
    kinds = list(Kind)
    findings.sort(
        key=lambda one: (order.index(one.kind.severity), kinds.index(one.kind), one.thing)
    )
    return tuple(findings)


def _of_logins(seen: Inventory) -> Iterator[Finding]:
    if seen.devices and len(seen.login_addresses) < 2:  # noqa: PLR2004 - one, and a spare
        only = " ".join(seen.login_addresses) or "none"
        message = f"its devices can log in at {only} only"
        yield Finding(Kind.LOGIN_ONE_ADDRESS, "farm", message)


def _of_balance(seen: Inventory) -> Iterator[Finding]:
    if not seen.balance.is_automatic:
        yield Finding(Kind.BALANCE_OFF, "farm", "rebalance is by hand only")
    plan = plan_rebalance(seen.placement, seen.balance, Occasion.AUTOMATIC)
    for host in seen.placement.hosts:
        leaving = tuple(sorted(move.device for move in plan.moves if move.origin == host.id))
        if leaving:
            yield Finding(
                Kind.LOAD_UNEVEN,
                f"server {host.name}",
                f"{len(leaving)} of its {host.load.devices} devices should read from others",
                leaving,
            )


def _of_tasks(seen: SeenTasks) -> Iterator[Finding]:
    if (seen.waiting or seen.schedules) and not seen.is_worker_alive:
        waiting = f"{seen.waiting} tasks wait, {seen.schedules} schedules are set"
        yield Finding(Kind.NO_WORKER, "farm", f"{waiting}, and no worker is heard of")
    for worker, problem in seen.refused_accounts:
        yield Finding(Kind.ACCOUNT_REFUSED, f"worker {worker}", problem)


def _of_backups(seen: SeenBackups) -> Iterator[Finding]:
    if seen.newest_age is None:
        yield Finding(Kind.BACKUP_MISSING, "farm", "it was never backed up")
        return
    if seen.newest_age > seen.too_old:
        days = seen.newest_age.total_seconds() / 86_400
        most = seen.too_old.days
        yield Finding(
            Kind.BACKUP_OLD, "farm", f"its newest backup is {days:.1f} days old, more than {most}"
        )
    if not seen.is_any_verified:
        yield Finding(Kind.BACKUP_UNVERIFIED, "farm", "none of its backups was ever verified")


def _of_server(server: SeenServer) -> Iterator[Finding]:
    thing = f"server {server.name}"
    if not server.is_online:
        yield Finding(Kind.SERVER_SILENT, thing, "it has not reported lately")
    if server.is_in_maintenance:
        yield Finding(Kind.SERVER_MAINTENANCE, thing, "it is under maintenance")
    if server.is_draining:
        yield Finding(Kind.SERVER_DRAINING, thing, "it is drained")
    if server.free_bytes is not None and server.free_bytes < STORE_NEARLY_FULL:
        kind = Kind.STORE_FULL if server.free_bytes < STORE_FULL else Kind.STORE_NEARLY_FULL
        yield Finding(kind, thing, f"its store has {server.free_bytes / _GIB:.1f} GiB left")
    if server.clock_offset is not None and abs(server.clock_offset) >= CLOCK_DRIFTS:
        off = server.clock_offset.total_seconds()
        kind = Kind.CLOCK_WRONG if abs(server.clock_offset) >= CLOCK_WRONG else Kind.CLOCK_DRIFTS
        ahead = "ahead of" if off > 0 else "behind"
        yield Finding(kind, thing, f"its clock is {abs(off):.0f} s {ahead} the farm's")
    yield from _of_certificate(thing, server.certificate_left)
    if server.is_plain:
        yield Finding(Kind.CONNECTIONS_PLAIN, thing, "what it sends can be read on the way")
    for kind, said in (
        (Kind.RELAY_REFUSES, server.relay_refusal),
        (Kind.SCRUB_STUCK, server.scrub_problem),
        (Kind.SCRUB_OVERDUE, server.scrub_overdue),
    ):
        if said:
            yield Finding(kind, thing, said)
    if server.unknown_sessions:
        count = server.unknown_sessions
        yield Finding(Kind.UNKNOWN_SESSIONS, thing, f"{count} of its sessions are of no device")


def _of_certificate(thing: str, left: timedelta | None) -> Iterator[Finding]:
    if left is None or left > WARN_WITHIN:
        return
    if left <= timedelta(0):
        ago = f"its certificate ended {_days(-left)} ago: whoever connects refuses it"
        yield Finding(Kind.CERTIFICATE_EXPIRED, thing, ago)
    else:
        soon = f"its certificate ends in {_days(left)} and was not renewed"
        yield Finding(Kind.CERTIFICATE_EXPIRES_SOON, thing, soon)


def _days(span: timedelta) -> str:
    return f"{span / timedelta(days=1):.1f} days"


def _of_losses(seen: Inventory) -> Iterator[Finding]:
    for host in seen.placement.hosts:
        lacks: defaultdict[Lack, list[PlacedDevice]] = defaultdict(list)
        for one in stranded_by_loss(seen.placement, host.id):
            lacks[one.lack].append(one.device)
        for lack, devices in lacks.items():
            said = some_of([f"{one.name} ({one.version})" for one in devices])
            yield Finding(
                Kind.LOSS_STRANDS,
                f"server {host.name}",
                f"its loss would strand {said}: {lack}",
                tuple(one.name for one in devices),
            )


def _of_version(version: SeenVersion) -> Iterator[Finding]:
    thing = f"version {version.name}"
    for replica in version.replicas:
        kind = _kind_of(replica, is_in_use=version.is_in_use)
        if kind is not None:
            why = f": {replica.problem}" if replica.problem else ""
            yield Finding(kind, thing, f"on {replica.server} it is {replica.state}{why}")
        if replica.refusal:
            said = f"{replica.server} does not offer it: {replica.refusal}"
            yield Finding(Kind.EXPORT_REFUSED, thing, said)
    if version.awaited:
        yield Finding(Kind.RELEASE_WAITS, thing, f"its release waits: {'; '.join(version.awaited)}")
    if not version.is_in_use:
        return
    who = f"{version.running} devices run it and {version.starting} would start it"
    if not version.servers:
        yield Finding(Kind.VERSION_UNSERVED, thing, f"no server can serve it; {who}")
    elif len(version.servers) == 1:
        yield Finding(
            Kind.VERSION_ON_ONE_SERVER, thing, f"only {version.servers[0]} can serve it; {who}"
        )


def _kind_of(replica: SeenReplica, *, is_in_use: bool) -> Kind | None:
    match replica.state:
        case ReplicaState.DAMAGED:
            return Kind.REPLICA_DAMAGED if is_in_use else Kind.REPLICA_STUCK
        case ReplicaState.STUCK:
            return Kind.REPLICA_STUCK
        case ReplicaState.WANTED | ReplicaState.FETCHING:
            return Kind.REPLICA_BEHIND
        case ReplicaState.COMPLETE | ReplicaState.REMOVING:
            return None


def _of_device(device: SeenDevice) -> Iterator[Finding]:
    thing = f"device {device.name}"
    if device.refusal:
        yield Finding(Kind.DEVICE_CANNOT_START, thing, device.refusal)
    elif len(device.servers) < 2 and not device.is_bound:  # noqa: PLR2004 - one, and a spare
        names = " ".join(device.servers) or "none"
        yield Finding(Kind.DEVICE_ONE_SERVER, thing, f"its login would name {names} only")
    if device.cache_warning:
        yield Finding(Kind.WRITE_CACHE, thing, device.cache_warning)
