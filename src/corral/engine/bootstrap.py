"""Which adapter stands behind which port."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from corral.engine.adapters.chunk_store import NativeChunks
from corral.engine.adapters.clock import SystemClock
from corral.engine.adapters.disk_process import DiskProcess, disk_socket
from corral.engine.adapters.facts import facts_of, release
from corral.engine.adapters.farm_api import HttpFarm
from corral.engine.adapters.guest_tools import find_tools
from corral.engine.adapters.identity import FileIdentity
from corral.engine.adapters.kit_installer import KitInstaller
from corral.engine.adapters.media import MOUNTED_BELOW, Media
from corral.engine.adapters.qemu.accelerator import Choice, find_accelerator
from corral.engine.adapters.qemu.processes import QemuProcesses
from corral.engine.adapters.randomness import SystemRandomness
from corral.engine.adapters.slots_folder import SlotsFolder, slot_of
from corral.engine.adapters.state_folder import StateFolder
from corral.engine.application.check_in import CheckIn
from corral.engine.application.erase import Erase
from corral.engine.application.fetch_versions import FetchVersions
from corral.engine.application.keeper import Keeper
from corral.engine.application.register import Register
from corral.engine.application.show_status import ShowStatus
from corral.engine.application.tend_kit import StartedFrom, TendKit
from corral.engine.application.tend_machines import TendMachines
from corral.engine.application.wishes import Wishes
from corral.engine.domain.machine.seen import Abilities, Power

if TYPE_CHECKING:
    from pathlib import Path

    from corral.engine.application.ports import Facts
    from corral.guest.accelerator import Accelerator


@dataclass(frozen=True)
class EngineOptions:
    """How an agent is run."""

    choice: Choice
    media: tuple[Path, ...]
    """Below which folders media are mounted; where desktops mount them if none is said."""
    publishers: Path
    """The list of those whose kits are installed."""
    may_start_disks: bool


@dataclass
class Engine:
    """Everything that an agent consists of."""

    state: StateFolder
    accelerator: Accelerator
    """What was found when it was opened."""
    options: EngineOptions
    abilities: Abilities = field(default_factory=Abilities)
    wake: threading.Event = field(default_factory=threading.Event)
    """There may be something to do."""
    news: threading.Event = field(default_factory=threading.Event)
    """There is something to tell."""
    clock: SystemClock = field(default_factory=SystemClock)

    def __post_init__(self) -> None:
        state, clock = self.state, self.clock
        self.farm = HttpFarm(FileIdentity(state.identity), clock)
        self.signal_farm = HttpFarm(FileIdentity(state.identity), clock)
        self.chunks = NativeChunks(state.store, Media(self.options.media or MOUNTED_BELOW))
        medium = find_tools()
        if medium is not None:
            self.abilities = replace(self.abilities, guest_tools=medium.release)
        tools = None if medium is None else medium.path
        self.processes = QemuProcesses(
            state, disk_socket(state), self.accelerator, clock, self.wake.set, tools
        )
        self.keeper = Keeper(
            state, state, clock, self.abilities, on_change=self.wake.set, on_news=self.news.set
        )
        self.disks = disks = DiskProcess(state, may_start=self.options.may_start_disks)
        self.fetch = FetchVersions(self.keeper, state, self.chunks, clock)
        self.tend = TendMachines(self.keeper, self.chunks, disks, self.processes, clock)
        self.kit = self._tend_kit()
        self.show_status = ShowStatus(
            self.keeper, state, self.tend, self.fetch, self.kit, self.facts, clock
        )
        self.check_in = CheckIn(
            self.keeper, state, self.farm, self.show_status, clock, SystemRandomness()
        )
        self.wishes = Wishes(self.keeper, self.processes, clock)
        self.erase = Erase(self.keeper, state, self.farm, self.processes, disks, self.show_status)

    def _tend_kit(self) -> TendKit:
        folder = SlotsFolder(self.state.path)
        is_launched, slot = slot_of(os.environ)
        root = None if slot is None else folder.laid_out(slot)
        install = KitInstaller(self.chunks, folder, slot, self.options.publishers)
        started_from = StartedFrom(release(), is_launched, slot, root)
        return TendKit(self.keeper, self.chunks, folder, install, started_from, self.clock)

    def renew_disks(self) -> None:
        """Have the disk process be of this agent's release, as soon as no machine reads from it."""
        is_other = self.disks.answers and self.disks.release != self.kit.started_from.release
        if not is_other or not self.options.may_start_disks or not self.kit.is_settled():
            return
        machines = self.keeper.machines.values()
        if all(self.processes.look(one).power is Power.OFF for one in machines):
            self.disks.end()

    def facts(self) -> Facts:
        """Say what this engine is."""
        has_kvm = self.processes.accelerator.is_kvm
        return facts_of(self.state.path, self.abilities, has_kvm=has_kvm)

    def settle(self) -> None:
        """Open the store once there is a farm, whoever registered."""
        place = self.keeper.place
        if place is None:
            found = self.state.place()
            if found is None:
                return
            self.keeper.settle_in(found)
            place = found
        self.chunks.open(place.farm)

    def close(self) -> None:
        """Leave machines and the disk process as they are."""
        self.fetch.stop()
        self.processes.close()
        self.farm.close()
        self.signal_farm.close()


def open_engine(path: Path, options: EngineOptions) -> Engine:
    """Make an engine out of a state folder; raises ``StateUnusableError``."""
    state = StateFolder(path)
    state.prepare()
    accelerator = find_accelerator(options.choice, state.broken_kvm)
    engine = Engine(state, accelerator, options)
    engine.keeper.load()
    return engine


def open_register(path: Path) -> Register:
    """Give what registers a computer, without starting anything."""
    state = StateFolder(path)
    state.prepare()
    farm = HttpFarm(FileIdentity(state.identity), SystemClock())
    accelerator = find_accelerator(Choice.AUTO, state.broken_kvm)
    return Register(
        state, farm, lambda: facts_of(state.path, Abilities(), has_kvm=accelerator.is_kvm)
    )
