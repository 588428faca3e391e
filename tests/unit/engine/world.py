"""A computer with one virtual machine, as a value: what plans are carried out against.

It does what real processes and disks do, down to being killed between two of its acts.
"""

from dataclasses import dataclass, field, replace

from corral.engine.domain.fetching import Need, needs, offered_roots, unneeded_roots
from corral.engine.domain.machine.plan import next_step
from corral.engine.domain.machine.power import asked_to_run
from corral.engine.domain.machine.record import Machine, MachineKey, Mode, Policy, Version, Wish
from corral.engine.domain.machine.seen import Abilities, MachineOrder, Power, Seen
from corral.engine.domain.machine.stage import Stage
from corral.engine.domain.machine.steps import (
    AskToShutDown,
    Become,
    ContinueMachine,
    EndProcess,
    InstallTools,
    RemoveMachine,
    StartMachine,
    Step,
    SuspendMachine,
    Wait,
)
from corral.engine.domain.moment import Moment

KEY = MachineKey("debian", "rboston")
POLICY = Policy(prove_within_seconds=100, soak_seconds=20)
ABILITIES = Abilities()


def version(number: int, attempt: int = 0) -> Version:
    return Version(f"debian/{number}", f"{number:064x}", 1 << 30, attempt)


def order(number: int, attempt: int = 0, **more: bool) -> MachineOrder:
    return MachineOrder(version(number, attempt), POLICY, **more)


@dataclass
class Process:
    """A QEMU."""

    root: str
    power: Power = Power.RUNNING
    started: float = 0.0
    was_reset: bool = False


@dataclass
class World:
    """Everything that is outside the plan."""

    record: Machine
    order: MachineOrder | None
    broken: frozenset[str] = frozenset()
    """Versions whose guest never becomes healthy."""
    dead: frozenset[str] = frozenset()
    """Versions whose process ends as soon as it is started."""
    has_network: bool = True
    boot: int = 1
    now: float = 0.0
    listening_since: float = 0.0
    process: Process | None = None
    saved_memory: bool = False
    held: set[str] = field(default_factory=set)
    own_disk: str | None = None
    """The version below a disk that survives."""
    removed: bool = False
    history: list[str] = field(default_factory=list)
    """The versions that were started, in order."""
    ends: list[str] = field(default_factory=list)

    @classmethod
    def new(cls, mode: Mode = Mode.SHARED, wanted: int = 1) -> "World":
        return cls(Machine(KEY, mode, POLICY, wish=Wish.RUNNING), order(wanted))

    @property
    def moment(self) -> Moment:
        return Moment(str(self.boot), self.now)

    def needs(self) -> list[Need]:
        from tests.unit.engine.orders import orders_with  # noqa: PLC0415 - it needs this module

        given = None if self.order is None else orders_with(KEY, self.record.mode, self.order)
        return needs({KEY: self.record}, given, ABILITIES)

    def fetch(self) -> None:
        if self.has_network:
            self.held |= {need.root for need in self.needs()}

    def collect(self) -> None:
        self.held -= unneeded_roots(self.held, [self.record], self.needs())

    def look(self) -> Seen:
        offered = offered_roots([self.record], frozenset(self.held))
        served = {root for root in offered if root in self.held or self.has_network}
        process = self.process
        seen = Seen(
            held_roots=frozenset(self.held),
            served_roots=frozenset(served),
            has_own_disk=self.own_disk is not None,
        )
        if process is None:
            return seen
        healthy: bool | None = None
        since = None
        boots_at = process.started + 5.0
        if process.power is Power.RUNNING:
            if process.root not in self.broken and self.now >= boots_at:
                healthy = True
                since = Moment(str(self.boot), max(boots_at, self.listening_since))
            elif self.now >= self.listening_since + 10.0:
                healthy = False
        return replace(
            seen,
            power=process.power,
            was_reset=process.was_reset,
            root=process.root,
            is_healthy=healthy,
            healthy_since=since,
        )

    def next_step(self) -> Step:
        return next_step(self.order, self.record, self.look(), ABILITIES, self.moment, 0)

    def act(  # noqa: C901, PLR0912 - one case for each step
        self, step: Step, *, dies: bool = False
    ) -> None:
        """Carry a step out; ``dies``: keep the record, and be killed before the act itself."""
        if isinstance(step, Wait):
            return
        if isinstance(step, RemoveMachine):
            self.removed = not dies
            return
        if not isinstance(step, SuspendMachine):
            self.record = step.machine
        if dies:
            self.listening_since = self.now
            return
        match step:
            case StartMachine():
                self._start(step)
            case AskToShutDown():
                if self.process is not None:
                    self.process.power = Power.SHUT_DOWN
            case EndProcess(_, why):
                self.process = None
                self.ends.append(why)
            case InstallTools():
                message = "this engine brings no guest tools"
                raise AssertionError(message)
            case SuspendMachine(machine):
                self.saved_memory = True
                start = machine.start
                assert start is not None
                start = replace(start, is_resumed=False)
                self.record = replace(machine, is_suspended=True, start=start)
                if self.process is not None:
                    self.process.power = Power.PAUSED
            case ContinueMachine():
                if self.process is not None:
                    self.process.power = Power.RUNNING
            case Become():
                pass

    def _start(self, step: StartMachine) -> None:
        assert self.process is None, "two processes on one disk"
        assert step.machine.current is not None
        root = step.machine.current.root
        assert root in self.look().served_roots, "started from what nobody offers"
        if step.is_fresh:
            self.own_disk = root if self.record.mode is Mode.CUSTOM else None
        elif self.record.mode is Mode.CUSTOM:
            assert self.own_disk == root, "a disk over another version"
        self.history.append(root)
        if root not in self.dead:
            self.process = Process(root, started=self.now)

    def ask_to_run(self) -> None:
        self.record = asked_to_run(self.record, self.look().power, self.moment)

    def pass_time(self, seconds: float) -> None:
        self.now += seconds

    def cut_power(self) -> None:
        self.process = None
        self.boot += 1
        self.now = 0.0
        self.listening_since = 0.0

    def settle(self, rounds: int = 400) -> None:
        """Go on until nothing changes any more but the time."""
        for _ in range(rounds):
            self.fetch()
            step = self.next_step()
            if isinstance(step, Wait):
                self.pass_time(7.0)
            else:
                self.act(step)
            if self.removed:
                return
        assert isinstance(self.next_step(), Wait), f"never comes to rest: {self.record}"

    @property
    def stage(self) -> Stage:
        return self.record.stage

    @property
    def runs(self) -> str | None:
        return None if self.process is None else self.process.root
