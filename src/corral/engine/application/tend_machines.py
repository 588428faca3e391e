"""Have every virtual machine be as the orders and its user want it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from corral.engine.application.ports import Offer
from corral.engine.domain.errors import EngineError
from corral.engine.domain.fetching import needs, offered_roots, peers_of
from corral.engine.domain.journal import Notice, Severity
from corral.engine.domain.machine.plan import next_step
from corral.engine.domain.machine.record import Machine
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
    Waiting,
)

if TYPE_CHECKING:
    from corral.engine.application.keeper import Keeper
    from corral.engine.application.ports import Chunks, Clock, Disks, Processes
    from corral.engine.domain.machine.record import MachineKey
    from corral.engine.domain.machine.seen import Power, Seen

_STEPS_AT_ONCE: Final = 64
"""Steps for one machine before the others have their turn."""


@dataclass
class TendMachines:
    """Plans, carries one step out, looks again. For one thread."""

    keeper: Keeper
    chunks: Chunks
    disks: Disks
    processes: Processes
    clock: Clock
    _offer: Offer = field(default_factory=Offer)
    _waiting: dict[MachineKey, Waiting] = field(default_factory=dict)
    _failed: dict[MachineKey, str] = field(default_factory=dict)
    _seen: dict[MachineKey, tuple[Power, str | None, bool | None]] = field(default_factory=dict)
    """What the farm should hear of soon once it differs; no record holds it."""

    def __call__(self) -> None:
        """Do all that can be done now; what has to be waited for is looked at the next time."""
        self._hear_of_new_ones()
        self._offer_disks()
        for key in self.keeper.machines:
            self._tend(key)

    def waiting_for(self, key: MachineKey) -> Waiting | None:
        """Say what was last waited for with a machine."""
        return self._waiting.get(key)

    def look(self, machine: Machine) -> Seen:
        """Look at one machine and what it needs."""
        seen = self.processes.look(machine)
        held = self.chunks.held(machine.needed_roots()) if self.chunks.is_open() else frozenset()
        return replace(seen, held_roots=held, served_roots=frozenset(self._offer.sizes))

    def _hear_of_new_ones(self) -> None:
        orders = self.keeper.orders
        if orders is None:
            return
        with self.keeper.held():
            for key, (mode, order) in orders.machines.items():
                known = self.keeper.machines.get(key)
                if known is None:
                    self.keeper.keep(Machine(key, mode, order.policy))
                elif known.mode is not mode and not known.has_own_disk:
                    self.keeper.keep(replace(known, mode=mode))

    def _offer_disks(self) -> None:
        machines = list(self.keeper.machines.values())
        orders = self.keeper.orders
        if not self.chunks.is_open():
            return
        wanted = needs(self.keeper.machines, orders, self.keeper.abilities)
        held = self.chunks.held(frozenset(need.root for need in wanted))
        roots = offered_roots(machines, held)
        self._offer = self.disks.offer({root: peers_of(root, orders) for root in sorted(roots)})

    def _tend(self, key: MachineKey) -> None:
        for _ in range(_STEPS_AT_ONCE):
            step = self._next(key)
            if step is None:
                return
            if isinstance(step, Wait):
                self._waiting[key] = step.waiting
                return
            try:
                self._act(step)
            except EngineError as error:
                self._say_once(key, error)
                if isinstance(step, StartMachine):
                    self._keep_trouble(key, error.message)
                return
            self._failed.pop(key, None)

    def _next(self, key: MachineKey) -> Step | None:
        """Give the next step, its record kept: whoever is killed from here on begins with it."""
        with self.keeper.held():
            machine = self.keeper.machines.get(key)
            if machine is None:
                return None
            orders = self.keeper.orders
            seen = self.look(machine)
            self._note_news(key, seen)
            step = next_step(
                None if orders is None else orders.order_of(key),
                machine,
                seen,
                self.keeper.abilities,
                self.clock.now(),
                int(self.clock.wall()),
            )
            if not isinstance(step, Wait | SuspendMachine | RemoveMachine):
                self.keeper.keep(step.machine)
            return step

    def _note_news(self, key: MachineKey, seen: Seen) -> None:
        """Have the farm hear soon of what runs.

        An agent that comes back finds out only after its first check-in what runs, and a guest
        speaks long after its start.
        """
        found = seen.power, seen.root, seen.is_healthy
        if self._seen.get(key) != found:
            self._seen[key] = found
            self.keeper.on_news()

    def _act(self, step: Step) -> None:
        match step:
            case StartMachine(machine, is_fresh):
                root = None if machine.current is None else machine.current.root
                size = machine.disk_bytes if root is None else self._offer.sizes[root]
                self.processes.start(machine, size, is_fresh=is_fresh)
            case AskToShutDown(machine):
                self.processes.shut_down(machine.key)
            case EndProcess(machine, why):
                self.processes.end(machine.key)
                text = f"{machine.key} was ended: {why}"
                self.keeper.note(Notice(Severity.INFORMATION, "ended", text, machine.key.image))
            case SuspendMachine(machine):
                self.processes.suspend(machine.key)
                self.keeper.change(machine.key, _suspended)
            case ContinueMachine(machine):
                self.processes.go_on(machine.key)
            case InstallTools(machine):
                self.processes.install_tools(machine.key)
            case RemoveMachine(machine):
                self.keeper.forget(machine.key)
                self._waiting.pop(machine.key, None)
                self._seen.pop(machine.key, None)
            case Become() | Wait():
                pass

    def _keep_trouble(self, key: MachineKey, trouble: str) -> None:
        with self.keeper.held():
            machine = self.keeper.machines.get(key)
            if machine is not None:
                self.keeper.keep(replace(machine, trouble=trouble))

    def _say_once(self, key: MachineKey, error: EngineError) -> None:
        if self._failed.get(key) != error.message:
            self._failed[key] = error.message
            self.keeper.note(Notice(Severity.ERROR, error.code, error.message, key.image))


def _suspended(machine: Machine) -> Machine:
    start = machine.start
    if start is not None:
        start = replace(start, is_resumed=False)
    return replace(machine, is_suspended=True, start=start)
