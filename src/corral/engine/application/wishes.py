"""What a computer's user can ask of its machines."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from corral.engine.domain.failures import (
    MachineAssignedError,
    MachineOffError,
    MachineOnError,
    MachineTakenError,
    NothingToPostponeError,
    SnapshotsNotKeptError,
    SnapshotUnknownError,
)
from corral.engine.domain.machine.power import asked_to_run
from corral.engine.domain.machine.record import Machine, MachineKey, Mode, Policy, Wish
from corral.engine.domain.machine.seen import Power
from corral.engine.domain.machine.stage import Stage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from corral.engine.application.keeper import Keeper
    from corral.engine.application.ports import Clock, Processes

LOCAL_USER = "local"


@dataclass(frozen=True)
class Wishes:
    """Writes wishes down; what tends machines fulfils them in its own time."""

    keeper: Keeper
    processes: Processes
    clock: Clock

    def start(self, name: str) -> None:
        """Have it run; one that is suspended goes on where it was."""
        machine = self.keeper.find(name)
        power = self.processes.look(machine).power
        self.keeper.change(machine.key, lambda one: asked_to_run(one, power, self.clock.now()))

    def stop(self, name: str) -> None:
        """Have its guest shut down; what a suspended one had in its memory is lost."""
        machine = self.keeper.find(name)
        self.keeper.change(
            machine.key,
            lambda one: replace(
                one.wishing(Wish.STOPPED, self.clock.now()), restarts=False, is_suspended=False
            ),
        )

    def suspend(self, name: str) -> None:
        """Have what is in its memory kept, and its process ended."""
        machine = self.keeper.find(name)
        if self._is_off(machine):
            raise MachineOffError(name)
        self._wish(machine, Wish.SUSPENDED)

    def restart(self, name: str) -> None:
        """Have its guest shut down and start again, with a new version if one is ready."""
        machine = self.keeper.find(name)
        if self._is_off(machine):
            raise MachineOffError(name)
        self.keeper.change(
            machine.key,
            lambda one: replace(one.wishing(Wish.RUNNING, self.clock.now()), restarts=True),
        )

    def postpone(self, name: str, seconds: int) -> None:
        """Put the restart for a new version off, as far as policy lets one."""
        machine = self.keeper.find(name)
        if machine.stage is not Stage.READY or machine.told is None:
            raise NothingToPostponeError(str(machine.key), "no new version waits for it")
        if machine.policy.postpone_seconds == 0:
            reason = "it comes only when its user restarts it"
            raise NothingToPostponeError(str(machine.key), reason)
        since = self.clock.now().seconds_since(machine.told) or 0.0
        allowed = min(int(since) + seconds, machine.policy.postpone_seconds)
        self.keeper.change(machine.key, lambda one: replace(one, postponed_seconds=allowed))

    def create(self, name: str, size_bytes: int, policy: Policy) -> Machine:
        """Make a local machine with an empty disk."""
        key = MachineKey(name, LOCAL_USER)
        machine = Machine(key, Mode.LOCAL, policy, wish=Wish.STOPPED, disk_bytes=size_bytes)
        with self.keeper.held():
            if any(known.image == name for known in self.keeper.machines):
                raise MachineTakenError(name)
            self.keeper.keep(machine)
        self.processes.make_disk(machine)
        return machine

    def remove(self, name: str) -> None:
        """Remove a local machine that does not run, with its disk."""
        machine = self.keeper.find(name)
        if machine.mode is not Mode.LOCAL:
            raise MachineAssignedError(str(machine.key))
        self._expect_off(machine)
        self.keeper.forget(machine.key)

    def snapshots(self, name: str) -> Sequence[str]:
        """Give the names of its snapshots."""
        return self.processes.snapshots(self.keeper.find(name).key)

    def take_snapshot(self, name: str, snapshot: str) -> None:
        """Keep how its disks are now, under a name."""
        machine = self._lasting(name)
        self._expect_off(machine)
        self.processes.take_snapshot(machine.key, snapshot)

    def revert(self, name: str, snapshot: str) -> None:
        """Have its disks be as they were then; what was written since is lost."""
        machine = self._lasting(name)
        self._expect_off(machine)
        if snapshot not in self.processes.snapshots(machine.key):
            raise SnapshotUnknownError(str(machine.key), snapshot)
        self.processes.revert(machine.key, snapshot)

    def _lasting(self, name: str) -> Machine:
        machine = self.keeper.find(name)
        if machine.mode is Mode.SHARED:
            raise SnapshotsNotKeptError(str(machine.key))
        return machine

    def _expect_off(self, machine: Machine) -> None:
        if not self._is_off(machine) or machine.is_suspended:
            raise MachineOnError(machine.key.image)

    def _is_off(self, machine: Machine) -> bool:
        return self.processes.look(machine).power is Power.OFF

    def _wish(self, machine: Machine, wish: Wish) -> None:
        self.keeper.change(machine.key, lambda one: one.wishing(wish, self.clock.now()))
