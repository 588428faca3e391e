"""Which devices move where so that servers carry their share: a plan, which is a value.

Pure. A round moves a device once at most, never to a server without room or that the device may not
use, and only where the move brings the two servers nearer to their shares. So each move lowers the
same sum, which cannot fall for ever: rounds end, and nothing swings back and forth.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from corral.farm.domain.errors import EditConflictError, InvalidInputError

if TYPE_CHECKING:
    from corral.farm.domain.delivery.device import DeviceId, DeviceName
    from corral.farm.domain.delivery.placement import PlacedDevice, Placement
    from corral.farm.domain.delivery.ranking import Host
    from corral.farm.domain.estate.server import ServerId, ServerName

_PERCENT: Final = 100
_SHORTEST: Final = timedelta(minutes=1)


class BalanceRuleError(InvalidInputError):
    """The rules of balance are an interval from a minute, and percentages and counts in reason."""

    code = "balance-rule-invalid"

    def __init__(self, rule: str) -> None:
        super().__init__(f"such a rule of balance cannot be: {rule}")


class BalanceChangedError(EditConflictError):
    """The rules of balance are changed by one person at a time; the second looks again."""

    code = "balance-changed"

    def __init__(self) -> None:
        super().__init__(
            "the rules of balance were changed by somebody else since you looked: look again with"
            " 'corral farm balance', then repeat your change if it still makes sense"
        )


@dataclass(frozen=True)
class BalanceRules:
    """When a rebalance begins by itself. The defaults are those that the field is used to."""

    is_automatic: bool = True
    every: timedelta = timedelta(minutes=10)
    """Least time between two automatic rounds; also how long a moved device is left alone."""
    over_percent: int = 25
    """A server is relieved only when its load is this much above the average."""
    least_devices: int = 5
    """Fewer devices than this, on a server or on average, are not worth a move."""
    booting_percent: int = 20
    """A server of whose devices more than this start is left alone: its load is about to change."""
    revision: int = 1

    def __post_init__(self) -> None:
        for holds, rule in (
            (self.every >= _SHORTEST, "rounds are a minute apart at least"),
            (self.over_percent >= 1, "a server is over the average by 1 percent at least"),
            (self.least_devices >= 1, "1 device is the least"),
            (0 <= self.booting_percent <= _PERCENT, "the share that starts is 0 to 100 percent"),
        ):
            if not holds:
                raise BalanceRuleError(rule)


class Occasion(StrEnum):
    """Why a rebalance is planned."""

    BY_HAND = "by-hand"
    """Somebody asked for it: the threshold and the least numbers do not count."""
    AUTOMATIC = "automatic"


class Quiet(StrEnum):
    """Why a server is not relieved, or nothing is moved at all."""

    SWITCHED_OFF = "automatic rebalance is switched off"
    NOT_DUE = "the last round was too short a while ago"
    MOVES_LEFT = "moves of the last round are still under way"
    ONE_SERVER = "there are no two servers that take devices"
    FEW_DEVICES = "it has too few devices to be worth a move"
    FEW_ON_AVERAGE = "servers have too few devices on average to be worth a move"
    BOOTING = "too many of its devices are starting"
    WITHIN = "its load is not far enough above the average"
    BALANCED = "no move would bring servers nearer to their shares"
    BOUND = "none of its devices may be moved to a server with less load"
    CLOSED = "it takes no devices: those that it has leave by themselves"


@dataclass(frozen=True)
class Move:
    """One device that is to read from another server."""

    device_id: DeviceId
    device: DeviceName
    origin: ServerId
    target: ServerId
    why: str


@dataclass(frozen=True)
class Reason:
    """Why no device of a server moves; of the whole farm if no server is named."""

    server: ServerName | None
    quiet: Quiet


@dataclass(frozen=True)
class Plan:
    """Everything that a rebalance would do."""

    moves: tuple[Move, ...] = ()
    quiet: tuple[Reason, ...] = ()


def plan_rebalance(
    placement: Placement,
    rules: BalanceRules,
    occasion: Occasion,
    sources: frozenset[ServerId] | None = None,
    resting: frozenset[DeviceId] = frozenset(),
) -> Plan:
    """Plan a round: relieve the ``sources``, or every server that needs it.

    ``resting`` devices were moved a short while ago and stay.
    """
    hosts = [host for host in placement.hosts if host.is_open]
    if len(hosts) < 2:  # noqa: PLR2004 - one to leave and one to go to
        return Plan(quiet=(Reason(None, Quiet.ONE_SERVER),))
    count = sum(host.load.devices for host in hosts)
    if occasion is Occasion.AUTOMATIC and count < rules.least_devices * len(hosts):
        return Plan(quiet=(Reason(None, Quiet.FEW_ON_AVERAGE),))
    average = Fraction(count) / sum(Fraction(host.rating) for host in hosts)
    quiet: list[Reason] = []
    relieved: list[Host] = []
    for host in sorted(placement.hosts, key=lambda host: host.name):
        if sources is not None and host.id not in sources:
            continue
        why_not = _why_not(host, average, rules, occasion)
        if why_not is None:
            relieved.append(host)
        elif host.load.devices or sources is not None:
            quiet.append(Reason(host.name, why_not))
    bench = _Bench.of(placement, hosts, resting)
    moves: list[Move] = []
    while (step := bench.best_step(relieved, average, occasion)) is not None:
        moves.append(_move(bench.take(step), step, average))
    moved_from = {move.origin for move in moves}
    for host in relieved:
        if host.id not in moved_from and host.load.devices:
            is_over = host.relative_load > average
            quiet.append(Reason(host.name, Quiet.BOUND if is_over else Quiet.BALANCED))
    return Plan(tuple(moves), tuple(quiet))


def _why_not(
    host: Host, average: Fraction, rules: BalanceRules, occasion: Occasion
) -> Quiet | None:
    if not host.is_open:
        return Quiet.CLOSED
    if occasion is Occasion.BY_HAND:
        return None
    if host.load.devices < rules.least_devices:
        return Quiet.FEW_DEVICES
    if host.load.booting * _PERCENT > host.load.devices * rules.booting_percent:
        return Quiet.BOOTING
    if host.relative_load * _PERCENT <= average * (_PERCENT + rules.over_percent):
        return Quiet.WITHIN
    return None


@dataclass(frozen=True)
class _Step:
    origin: Host
    target: Host
    servers: frozenset[ServerId]
    """What the device that moves may use."""


@dataclass
class _Bench:
    """Loads and movable devices while a plan is being made."""

    hosts: list[Host]
    devices: dict[ServerId, int]
    movable: defaultdict[ServerId, defaultdict[frozenset[ServerId], list[PlacedDevice]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(list))
    )

    @classmethod
    def of(cls, placement: Placement, hosts: list[Host], resting: frozenset[DeviceId]) -> _Bench:
        bench = cls(hosts, {host.id: host.load.devices for host in hosts})
        for device in sorted(placement.devices, key=lambda device: device.name, reverse=True):
            # A device that starts is not asked to: it reads most, and its log in a boot loader
            # could not follow.
            if device.id not in resting and not device.is_booting:
                bench.movable[device.place][device.may_use].append(device)
        return bench

    def best_step(
        self, relieved: list[Host], average: Fraction, occasion: Occasion
    ) -> _Step | None:
        """Give the step from who gains most by losing a device to who loses least by getting it."""
        for origin in sorted(relieved, key=lambda host: (-self._relief(host), host.name)):
            # By itself the farm only brings a server down to the average.
            if occasion is Occasion.AUTOMATIC and self._load(origin) <= average:
                continue
            steps = [
                (self._burden(target), target.name, _Step(origin, target, servers))
                for servers, devices in self.movable[origin.id].items()
                for target in self.hosts
                if devices and target.id in servers and self._is_gain(origin, target)
            ]
            if steps:
                return min(steps, key=lambda step: (*step[:2], sorted(step[2].servers)))[2]
        return None

    def take(self, step: _Step) -> PlacedDevice:
        """Move the first such device by name; it moves no second time."""
        self.devices[step.origin.id] -= 1
        self.devices[step.target.id] += 1
        return self.movable[step.origin.id][step.servers].pop()

    def _load(self, host: Host) -> Fraction:
        return Fraction(self.devices[host.id]) / Fraction(host.rating)

    def _relief(self, host: Host) -> Fraction:
        """Half of what the sum over servers of devices²/rating falls by when a device leaves."""
        return (self.devices[host.id] - Fraction(1, 2)) / Fraction(host.rating)

    def _burden(self, host: Host) -> Fraction:
        """Half of what that sum rises by when a device comes."""
        return (self.devices[host.id] + Fraction(1, 2)) / Fraction(host.rating)

    def _is_gain(self, origin: Host, target: Host) -> bool:
        is_full = target.max_devices is not None and self.devices[target.id] >= target.max_devices
        is_other = origin.id != target.id
        return is_other and not is_full and self._burden(target) < self._relief(origin)


def _move(device: PlacedDevice, step: _Step, average: Fraction) -> Move:
    loads = [f"{float(load):.1f}" for load in (step.origin.relative_load, average)]
    return Move(
        device_id=device.id,
        device=device.name,
        origin=step.origin.id,
        target=step.target.id,
        why=f"{step.origin.name} had {loads[0]} devices for each unit of its rating,"
        f" the average is {loads[1]}",
    )
