"""A farm in memory whose servers have supervisors: they do what they are ordered, or do not."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from tests.farm_in_memory import FarmInMemory, disk
from tests.unit.farm.application.test_check_upgrade import Ready

from corral.farm.application.advance_upgrade import Advance
from corral.farm.application.take_server_report import (
    ReportedReplica,
    ReportedSession,
    ServerReport,
)
from corral.farm.application.verbs import Application
from corral.farm.domain.delivery.device import Device
from corral.farm.domain.estate.releases import ReleaseProblem, SeenReleases
from corral.farm.domain.estate.server import Server
from corral.farm.domain.image.replica import ReplicaState
from corral.farm.domain.upgrade.schema import Half, ReleaseSchema, SchemaStep

OLD = "0.1.0"
STEPS = (
    SchemaStep("0001", Half.EXPAND, "initial"),
    SchemaStep("0002", Half.EXPAND, "colours"),
    SchemaStep("0003", Half.CONTRACT, "shades"),
)


@dataclass
class Machine:
    """A server's machine, with all that lies on it."""

    server: Server
    running: str = OLD
    installed: set[str] = field(default_factory=lambda: {OLD})
    order: int = 0
    problem: ReleaseProblem | None = None
    is_dead: bool = False
    spoils: str = ""
    """A release that does not start here."""

    def obey(self, farm: FarmInMemory) -> ServerReport:
        """Fetch the configuration, do what it says, and tell."""
        wanted = farm.application.configure_server(self.server.id)
        order = wanted.order
        if order is not None:
            if order.install is not None:
                self.installed.add(order.install.release)
            self._switch(order.number, None if order.run is None else order.run.release)
            if self.problem is None or self.problem.order != order.number:
                self.order = order.number
        replicas = tuple(
            ReportedReplica(one.root, ReplicaState.COMPLETE, one.size_bytes, one.size_bytes)
            for one in wanted.replicas
        )
        said = SeenReleases(
            running=self.running,
            installed=tuple(sorted(self.installed)),
            order=self.order,
            is_ready=True,
            is_supervised=True,
            problem=self.problem,
        )
        return ServerReport(
            generation=wanted.generation, replicas=replicas, release=self.running, releases=said
        )

    def _switch(self, number: int, release: str | None) -> None:
        if release is None or release == self.running or number <= self.order:
            return
        if self.problem is not None and self.problem.order == number:
            return
        if release == self.spoils:
            message = f"{release} does not start"
            self.problem = ReleaseProblem(number, "release-unfit", message)
            return
        self.problem = None
        self.running = release


class UpgradableFarm:
    """Two servers, or more, that all hold a disk which devices stream."""

    def __init__(self, farm: FarmInMemory, servers: int = 3) -> None:
        self.farm = farm
        self.ready = Ready(farm)
        self.servers = [*self.ready.servers]
        self.servers += [farm.add_server(f"s{number}") for number in range(3, servers + 1)]
        self.machines: dict[str, Machine] = {one.name: Machine(one) for one in self.servers}
        self.disk = farm.import_disk("debian", disk(1, 2, 3))
        schema = farm.ports.schema
        schema.own = ReleaseSchema(STEPS[:1])
        farm.ports.release_programs.known["5.0"] = ReleaseSchema(STEPS)
        farm.ports.release_programs.known[OLD] = ReleaseSchema(STEPS[:1])
        self.devices: dict[Device, str] = {}
        self.look()
        self.ready.back_up()

    @property
    def app(self) -> Application:
        return self.farm.application

    def stream(self, name: str, server: str) -> Device:
        """Have a device read from a server."""
        device = self.farm.add_device(name, "debian")
        self.app.log_device_in(device.id)
        self.devices[device] = server
        self.look()
        return device

    def look(self) -> None:
        """Let every server that lives say how it is; devices leave those that drain."""
        for name, machine in self.machines.items():
            if machine.is_dead:
                continue
            report = machine.obey(self.farm)
            if self.app.configure_server(machine.server.id).server.draining:
                self._leave(name)
            sessions = tuple(
                ReportedSession(
                    device.id, "debian/1", "192.0.2.9:40000", self.farm.ports.clock.now(), 7
                )
                for device, place in self.devices.items()
                if place == name
            )
            self.app.take_server_report(
                machine.server.id,
                replace(report, sessions=sessions),
            )

    def _leave(self, name: str) -> None:
        open_ones = [
            one.server.name
            for one in self.app.list_servers()
            if not one.server.draining and not self.machines[one.server.name].is_dead
        ]
        for device, place in self.devices.items():
            if place == name and open_ones:
                self.devices[device] = open_ones[0]
                self.app.log_device_in(device.id, self.disk.version.root)

    def turn(self) -> Advance | None:
        """Let a second go by: servers say how they are, and a worker looks."""
        self.farm.wait(1)
        self.look()
        return self.app.advance_upgrade("worker w1")

    def until(self, condition: Callable[[], object], turns: int = 200) -> list[str]:
        """Let time go by until something holds; give the steps that were taken meanwhile."""
        taken: list[str] = []
        for _ in range(turns):
            if condition():
                return taken
            advance = self.turn()
            if advance is not None and advance.adopted is not None:
                step = advance.adopted.step
                names = [one.name for one in self.servers if one.id == step.server]
                taken.append(" ".join([step.kind.value, *names]))
        plan = self.app.show_upgrade().plan
        message = f"not within {turns} turns; taken: {taken}; {plan}"
        raise AssertionError(message)

    @property
    def state(self) -> str:
        return self.app.list_upgrades()[-1].state.value

    @property
    def running(self) -> list[str]:
        return [machine.running for machine in self.machines.values()]
