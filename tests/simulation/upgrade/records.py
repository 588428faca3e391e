"""What the simulated farm has written down: everything that a restore brings back."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

from corral.farm.domain.check.finding import Finding
from corral.farm.domain.estate.server import ServerId
from corral.farm.domain.library.compatibility import EngineFacts
from corral.farm.domain.library.release import Release
from corral.farm.domain.task.task import Task
from corral.farm.domain.upgrade.blueprint import Blueprint
from corral.farm.domain.upgrade.inventory import Canary, SeenConsole, SeenSchema
from corral.farm.domain.upgrade.policy import Policy
from corral.farm.domain.upgrade.state import UpgradeEvent
from corral.farm.domain.upgrade.touches import Touches

START = datetime(2026, 11, 30, 8, 0, tzinfo=UTC)
ONLINE_SECONDS = 5


@lru_cache(maxsize=65_536)
def at(seconds: int) -> datetime:
    return START + timedelta(seconds=seconds)


class Order(NamedTuple):
    """What the farm wants of a server's releases."""

    number: int
    install: Release | None = None
    run: Release | None = None
    expects: Release | None = None
    rest: bool = False


class Config(NamedTuple):
    """What a server fetches."""

    epoch: int
    generation: int
    draining: bool
    order: Order | None


class Report(NamedTuple):
    """What a server said last."""

    at: int
    configured: int
    release: Release | None
    installed: frozenset[Release]
    staged: frozenset[Release]
    order: int
    ready: bool
    resting: bool
    problem: str
    problem_of: int
    holds: frozenset[str]
    devices: tuple[str, ...]


class Backup(NamedTuple):
    """One that was verified, with all that it holds."""

    taken: int
    step: str
    epoch: int
    records: "Records"
    is_read: bool
    """Whether the new release has read it."""


@dataclass
class Records:
    """The database. Values never change; what holds them is copied with ``copied``."""

    policy: Policy
    schema: SeenSchema
    generation: int = 1
    epoch: int = 0
    draining: frozenset[ServerId] = frozenset()
    maintenance: frozenset[ServerId] = frozenset()
    orders: dict[ServerId, Order] = field(default_factory=dict)
    reports: dict[ServerId, Report] = field(default_factory=dict)
    history: list[Blueprint] = field(default_factory=list)
    events: list[UpgradeEvent] = field(default_factory=list)
    """What has happened to the upgrade itself."""
    touches: Touches = field(default_factory=Touches)
    """What follows from the history."""
    canaries: dict[ServerId, Canary] = field(default_factory=dict)
    computers: dict[str, EngineFacts | None] = field(default_factory=dict)
    consoles: tuple[SeenConsole, ...] = ()
    tasks: tuple[Task, ...] = ()
    rollouts: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    targets: dict[str, Release | None] = field(default_factory=dict)
    backup: Backup | None = None

    @property
    def newest(self) -> Blueprint | None:
        return self.history[-1] if self.history else None

    def copied(self) -> "Records":
        return replace(
            self,
            orders=dict(self.orders),
            reports=dict(self.reports),
            history=list(self.history),
            events=list(self.events),
            touches=Touches.of(self.history),
            canaries=dict(self.canaries),
            computers=dict(self.computers),
            targets=dict(self.targets),
        )

    def adopt(self, blueprint: Blueprint) -> None:
        self.history.append(blueprint)
        self.touches.add(blueprint)

    def config(self, server: ServerId) -> Config:
        return Config(self.epoch, self.generation, server in self.draining, self.orders.get(server))

    def is_online(self, server: ServerId, now: int) -> bool:
        report = self.reports.get(server)
        return report is not None and now - report.at <= ONLINE_SECONDS
