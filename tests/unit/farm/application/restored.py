"""A farm that is restored in memory, and servers that remember what they were told."""

from dataclasses import dataclass, field

from tests.farm_in_memory import FarmInMemory, MemoryPorts, disk

from corral.farm.adapters.memory.records import MemoryTransactions
from corral.farm.adapters.memory.state import State
from corral.farm.application.note_holdings import Holdings
from corral.farm.application.take_server_report import (
    ReportedOverlay,
    ReportedReplica,
    ReportedSession,
    ServerReport,
)
from corral.farm.domain.backup.observation import HeldOverlay, HeldVersion
from corral.farm.domain.delivery.device import Device
from corral.farm.domain.estate.server import Server
from corral.farm.domain.image.overlay import OverlayCondition
from corral.farm.domain.image.replica import ReplicaState
from corral.farm.domain.image.version import Version

WHY = "the disk broke"


@dataclass
class Restored:
    """A farm with two servers that have version 1, and what becomes of it."""

    transactions: MemoryTransactions = field(default_factory=MemoryTransactions)
    farm: FarmInMemory = field(init=False)
    servers: dict[str, Server] = field(default_factory=dict)
    backup: State = field(init=False)
    holds: dict[str, Holdings] = field(default_factory=dict)
    """What each server holds by what it was told last."""

    def __post_init__(self) -> None:
        self.farm = FarmInMemory(MemoryPorts(transactions=self.transactions))
        self.servers = {name: self.farm.add_server(name) for name in ("s1", "s2")}
        self.publish(1)
        self.backup = self.transactions.kept()

    def publish(self, filling: int) -> Version:
        """Publish another version on both servers."""
        made = self.farm.import_disk("golden", disk(filling)).version
        self.farm.replicate(made, self.servers["s2"])
        return made

    def restore(self) -> None:
        """Go back to the backup; servers remember what they were told."""
        for name, server in self.servers.items():
            told = self.farm.application.configure_server(server.id)
            whole = {one.root: one for one in told.replicas}
            self.holds[name] = Holdings(
                told.generation,
                tuple(
                    HeldVersion(
                        one.name,
                        one.root,
                        one.signature,
                        whole[one.root].size_bytes,
                        one.standing,
                        is_offered=True,
                        is_complete=True,
                    )
                    for one in told.exports
                ),
                tuple(
                    HeldOverlay(
                        one.overlay.id,
                        one.export,
                        one.overlay.base,
                        one.overlay.device_id,
                        one.overlay.kind,
                        one.overlay.limit_bytes,
                    )
                    for one in told.overlays
                ),
            )
        self.transactions.put_back(self.backup)
        self.farm.begin_to_observe()

    def make_overlays(self) -> None:
        """Have servers make what devices are to write to, and say so."""
        for server in self.servers.values():
            told = self.farm.application.configure_server(server.id)
            made = tuple(
                ReportedOverlay(one.overlay.id, OverlayCondition.READY) for one in told.overlays
            )
            self.farm.application.take_server_report(
                server.id, ServerReport(generation=told.generation, overlays=made)
            )

    def hear(self, *names: str, sessions: tuple[tuple[Device, str], ...] = ()) -> None:
        """Let servers report, as those that follow the restored farm do."""
        for name in names or tuple(self.servers):
            told = self.farm.application.configure_server(self.servers[name].id)
            overlays = {one.overlay.id for one in told.overlays}
            overlays |= {one.id for one in self.holds[name].overlays}
            self.farm.application.take_server_report(
                self.servers[name].id,
                ServerReport(
                    generation=self.farm.generation,
                    replicas=tuple(
                        ReportedReplica(
                            one.root, ReplicaState.COMPLETE, one.size_bytes, one.size_bytes
                        )
                        for one in self.holds[name].versions
                    ),
                    sessions=tuple(
                        ReportedSession(
                            device.id, export, "192.0.2.9:40000", self.farm.ports.clock.now(), 7
                        )
                        for device, export in sessions
                    ),
                    overlays=tuple(
                        ReportedOverlay(one, OverlayCondition.READY) for one in sorted(overlays)
                    ),
                    holdings=self.holds[name],
                ),
            )

    def codes(self) -> list[str]:
        shown = self.farm.application.show_difference()
        return [f"{one.kind.code} {one.thing}" for one in shown.differences]

    def exports(self, name: str) -> list[str]:
        told = self.farm.application.configure_server(self.servers[name].id)
        return [str(one.name) for one in told.exports]

    def accept(self) -> None:
        self.farm.application.accept_difference(WHY)
