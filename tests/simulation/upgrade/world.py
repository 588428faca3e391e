"""A farm as it is, beside what is written down of it. It can be copied and gone on with."""

from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cached_property
from uuid import UUID

from corral.farm.domain.delivery.device import DeviceId, DeviceName
from corral.farm.domain.delivery.placement import PlacedDevice, Placement
from corral.farm.domain.delivery.ranking import Host, Load
from corral.farm.domain.estate.server import ServerId, ServerName
from corral.farm.domain.image.version import VersionName
from corral.farm.domain.library.manifest import ReleaseManifest, SchemaFacts
from corral.farm.domain.library.release import Release
from corral.farm.domain.upgrade.adoption import WhyNot
from corral.farm.domain.upgrade.blueprint import Blueprint
from corral.farm.domain.upgrade.inventory import Inventory, SeenServer, VerifiedBackup
from corral.farm.domain.upgrade.obstacle import Obstacle
from corral.farm.domain.upgrade.plan import Plan
from corral.farm.domain.upgrade.release_facts import ReleaseFacts
from tests.simulation.upgrade.machines import EMPTY, EXPECTED, FENCE, Machine
from tests.simulation.upgrade.records import ONLINE_SECONDS, Order, Records, Report, at

VERSIONS = {name: VersionName.parse(f"{name}/1") for name in ("debian", "windows")}


@dataclass(frozen=True)
class GuardsOff:
    """Which guards are switched off, of the planner, of the adoption, and at the nodes."""

    plan: frozenset[Obstacle] = frozenset()
    adoption: frozenset[WhyNot] = frozenset()
    node: frozenset[str] = frozenset()


ALL_ON = GuardsOff()


@dataclass
class Device:
    """A machine that streams, or is off."""

    name: str
    version: str
    place: ServerId | None

    @property
    def id(self) -> DeviceId:
        return DeviceId(UUID(int=0xD000 + int(self.name[2:])))


@dataclass
class Worker:
    """One of two that look, plan and adopt."""

    name: str
    seen: Inventory | None = None
    newest: Blueprint | None = None
    plan: Plan | None = None
    based_on: tuple[int, int] = (0, 0)
    """How often the records had changed when it looked, and when that was."""


@dataclass
class World:
    """All of it."""

    facts: ReleaseManifest
    known: tuple[ReleaseManifest, ...]
    records: Records
    machines: dict[ServerId, Machine]
    devices: dict[str, Device]
    workers: tuple[Worker, Worker]
    off: GuardsOff = ALL_ON
    now: int = 0
    changes: int = 0
    """Counts every change of what a worker could see."""
    story: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    """Invariants that were broken, with what broke them."""
    foreign: dict[str, Release | None] = field(default_factory=dict)
    """Machines that somebody changed by hand, with what the upgrade had left them at, until a step
    takes them as they are."""
    drained_by_hand: set[str] = field(default_factory=set)
    given_up: dict[str, frozenset[str]] = field(default_factory=dict)
    """Relays that were silent when a server was ordered to switch, and that somebody had accepted
    to be: whoever comes back since serves beside whatever runs."""
    is_database_full: bool = False
    planned: tuple[Inventory, int, int, Plan] | None = None
    """The last plan, with what was seen, how often the records had changed, and when."""
    _seen: tuple[int, int, Inventory] | None = None
    _servers: dict[ServerName, tuple[object, SeenServer]] = field(default_factory=dict)
    _places: tuple[object, Placement] | None = None
    """What was seen last, with what it was seen by: what has not changed is not made anew."""

    def copied(self) -> "World":
        return replace(
            self,
            records=self.records.copied(),
            machines={one: machine.copied() for one, machine in self.machines.items()},
            devices={name: replace(device) for name, device in self.devices.items()},
            workers=(replace(self.workers[0]), replace(self.workers[1])),
            story=list(self.story),
            broken=list(self.broken),
            foreign=dict(self.foreign),
            drained_by_hand=set(self.drained_by_hand),
            given_up=dict(self.given_up),
            planned=None,
            _seen=None,
            _servers={},
            _places=None,
        )

    @cached_property
    def releases(self) -> ReleaseFacts:
        return ReleaseFacts.of(self.facts, self.known)

    @property
    def schema_facts(self) -> SchemaFacts:
        said = self.releases.schema(self.facts.release)
        assert said is not None
        return said

    @property
    def servers(self) -> list[Machine]:
        return [one for one in self.machines.values() if not one.is_relay]

    @property
    def relays(self) -> list[Machine]:
        return [one for one in self.machines.values() if one.is_relay]

    def named(self, name: str) -> Machine:
        return next(one for one in self.machines.values() if one.name == name)

    def break_(self, what: str) -> None:
        self.broken.append(f"{self.now}: {what}")

    def changed(self) -> None:
        self.changes += 1

    def on(self, server: ServerId) -> list[str]:
        if not self.devices:
            return []
        return [name for name, device in self.devices.items() if device.place == server]

    def can_serve(self, machine: Machine, device: Device) -> bool:
        """Whether a device could really read there: it runs, takes devices, and has all bytes."""
        return machine.serves and not machine.is_relay and device.version in machine.holds

    def has_room(self, machine: Machine) -> bool:
        return machine.max_devices is None or len(self.on(machine.id)) < machine.max_devices

    # -- what a worker sees

    def look(self) -> Inventory:
        oldest, reports = self.now - ONLINE_SECONDS, self.records.reports
        silent = 0
        for one in self.machines:
            said = reports.get(one)
            silent = silent * 2 + (said is not None and said.at >= oldest)
        if self._seen is None or self._seen[:2] != (self.changes, silent):
            seen = self._look()
        elif self._seen[2].seen_at == at(self.now):
            return self._seen[2]
        else:
            seen = replace(self._seen[2], seen_at=at(self.now), backup=self._backup())
        self._seen = (self.changes, silent, seen)
        return seen

    def _backup(self) -> VerifiedBackup | None:
        found = self.records.backup
        if found is None:
            return None
        age = timedelta(seconds=self.now - found.taken)
        reader = self.records.policy.new if found.is_read else None
        return VerifiedBackup(age, found.step, found.epoch, reader)

    def _look(self) -> Inventory:
        records = self.records
        return Inventory(
            seen_at=at(self.now),
            epoch=records.epoch,
            servers=tuple([self._server(one) for one in self.machines.values()]),
            placement=self._placement(),
            schema=records.schema,
            computers=tuple(records.computers.items()),
            tasks=records.tasks,
            rollouts=records.rollouts,
            findings=records.findings,
            targets=tuple(records.targets.items()),
            backup=self._backup(),
            canaries=tuple(records.canaries.values()),
            consoles=records.consoles,
            known=self.known,
        )

    def _server(self, machine: Machine) -> SeenServer:
        records = self.records
        report = records.reports.get(machine.id)
        draining = machine.id in records.draining
        in_maintenance = machine.id in records.maintenance
        is_online = report is not None and self.now - report.at <= ONLINE_SECONDS
        # When it said it matters of one that is silent only.
        said = report[1:] if report is not None and is_online else report
        key = (said, is_online, draining, in_maintenance, machine.is_supervised)
        known = self._servers.get(machine.name)
        if known is not None and known[0] == key:
            return known[1]
        seen = self._seen_server(machine, report, draining=draining, in_maintenance=in_maintenance)
        self._servers[machine.name] = key, seen
        return seen

    def _seen_server(
        self, machine: Machine, report: Report | None, *, draining: bool, in_maintenance: bool
    ) -> SeenServer:
        if report is None:
            nothing: frozenset[Release] = frozenset()
            return SeenServer(
                machine.id,
                machine.name,
                machine.is_relay,
                is_online=False,
                reported_at=None,
                configured=0,
                release=None,
                installed=nothing,
                order=0,
                is_ready=False,
                is_supervised=False,
                session_count=0,
                is_draining=draining,
                is_resting=False,
                is_in_maintenance=in_maintenance,
                staged=nothing,
            )
        return SeenServer(
            machine.id,
            machine.name,
            machine.is_relay,
            self.now - report.at <= ONLINE_SECONDS,
            at(report.at),
            report.configured,
            report.release,
            report.installed,
            report.order,
            report.ready,
            machine.is_supervised,
            len(report.devices),
            draining,
            report.resting,
            in_maintenance,
            report.staged,
            report.problem,
            report.problem_of,
        )

    def _placement(self) -> Placement:
        """Give the places as reported last, and who said that they hold what."""
        records = self.records
        newest_last = sorted(records.reports.items(), key=lambda one: one[1].at)
        online = [(one.max_devices, records.is_online(one.id, self.now)) for one in self.servers]
        said = [(one, said.devices, said.holds) for one, said in newest_last]
        key = (said, online, records.draining, records.maintenance)
        if self._places is not None and self._places[0] == key:
            return self._places[1]
        places = {name: server for server, one in newest_last for name in one.devices}
        holders = {
            version: frozenset(
                server for server, one in records.reports.items() if version in one.holds
            )
            for version in VERSIONS
        }
        devices = tuple(
            PlacedDevice(
                device.id,
                DeviceName(name),
                places[name],
                VERSIONS[device.version],
                holders[device.version],
            )
            for name, device in self.devices.items()
            if name in places
        )
        load: dict[ServerId, int] = {}
        for one in devices:
            load[one.place] = load.get(one.place, 0) + 1
        hosts = tuple(
            Host(
                machine.id,
                machine.name,
                is_online=records.is_online(machine.id, self.now),
                takes_devices=machine.id not in records.draining
                and machine.id not in records.maintenance,
                max_devices=machine.max_devices,
                load=Load(load.get(machine.id, 0)),
            )
            for machine in self.servers
        )
        self._places = key, Placement(hosts, devices)
        return self._places[1]

    # -- what machines do by themselves

    def tick(self, machine: Machine) -> None:
        """Let a machine fetch, obey and report."""
        if not machine.is_up or machine.is_cut:
            return
        # What was started some time ago has passed its self-test by now.
        machine.is_ready = machine.is_ready or not machine.is_unwell
        before, records = machine.config, self.records
        # Nothing is newer than what it has: what it would not take is not written either.
        if not machine.has_seen(records.epoch, records.generation, self.off.node) and machine.takes(
            records.config(machine.id), self.off.node
        ):
            order = None if machine.config is None else machine.config.order
            if before is not None and before.order != order:
                machine.before = before
            self.changed()
        self.obey(machine)
        self.say(machine)

    def say(self, machine: Machine) -> None:
        report = machine.report(self.now, tuple(self.on(machine.id)))
        before = self.records.reports.get(machine.id)
        self.records.reports[machine.id] = report
        if before is None or before[1:] != report[1:]:
            self.changed()

    def obey(self, machine: Machine) -> None:
        """Carry out the order of the configuration in force."""
        order = None if machine.config is None else machine.config.order
        if order is None:
            return
        if order.number in (machine.order, machine.problem_of):
            return
        if order.number < machine.order and FENCE not in self.off.node:
            self._fail(machine, order, f"it has taken order {machine.order} before")
            return
        machine.is_resting = order.rest
        if not machine.is_supervised and (order.install is not None or order.run is not None):
            return
        if order.install is not None and not self._install(machine, order):
            return
        if order.run is not None and not self._switch(machine, order):
            return
        if order.number < machine.order:
            self.break_(f"S8 {machine.name} obeyed {order.number} after {machine.order}")
        machine.order = order.number
        machine.problem, machine.problem_of = "", 0

    def _install(self, machine: Machine, order: Order) -> bool:
        release = order.install
        if release is None or release in machine.installed:
            return True
        if release not in machine.staged or machine.full:
            return self._fail(machine, order, "there is no room for it")
        if machine.installing != order.number:
            # It takes a while.
            machine.installing = order.number
            return False
        machine.installed |= {release}
        return True

    def _switch(self, machine: Machine, order: Order) -> bool:
        release = order.run
        if release is None or machine.release == release:
            return True
        if machine.release != order.expects and EXPECTED not in self.off.node:
            return self._fail(machine, order, f"it runs {machine.release}")
        is_busy = not machine.is_resting if machine.is_relay else bool(self.on(machine.id))
        if is_busy and EMPTY not in self.off.node:
            # It waits for its devices to leave, and says nothing.
            return False
        if release not in machine.installed:
            return self._fail(machine, order, f"{release} does not lie there")
        if release in machine.stuck:
            return self._fail(machine, order, f"{release} did not prove itself")
        self.stop_serving(machine, "a switch")
        if release < machine.release and self.records.policy.state.leads_forward:
            self.break_(f"S24 {machine.name} was taken down from {machine.release} to {release}")
        machine.release = release
        machine.is_ready = False
        self.check_runs(machine)
        return True

    def _fail(self, machine: Machine, order: Order, why: str) -> bool:
        if (machine.problem, machine.problem_of) != (why, order.number):
            machine.problem, machine.problem_of = why, order.number
        return False

    def stop_serving(self, machine: Machine, cause: str) -> None:
        """Let a machine's devices find another server, or none."""
        for name in self.on(machine.id):
            device = self.devices[name]
            device.place = self.other_place(device, machine)
            if cause == "a switch":
                self.break_(f"S1 {name} read from {machine.name} when it was switched")

    def other_place(self, device: Device, but: Machine) -> ServerId | None:
        able = [
            other
            for other in self.servers
            if other.id != but.id and not other.is_draining and self.can_serve(other, device)
        ]
        # A device that runs is let in where no other server has room for it.
        return next((one.id for one in (*filter(self.has_room, able), *able)), None)

    def leave(self, machine: Machine) -> None:
        """Let the devices of a draining server go where the farm would send them."""
        if not (machine.is_up and machine.is_draining):
            return
        for name in self.on(machine.id):
            device = self.devices[name]
            place = self.other_place(device, machine)
            if place is not None:
                device.place = place

    def check_runs(self, machine: Machine) -> None:
        """S3 and S7, where a machine begins to run a release because it was ordered to."""
        schema = self.records.schema
        reads = self.releases.reads(machine.release, schema.readable_from)
        said = self.releases.schema(machine.release)
        if not machine.is_relay:
            risk = f"schema-fact-missing farm-{machine.release}"
            if reads is None:
                reads = any(one.risk == risk for one in self.records.policy.acceptances)
            if not reads or (said is not None and schema.step < said.expands_to):
                self.break_(
                    f"S3 {machine.name} runs {machine.release} on schema {schema.step},"
                    f" readable from {schema.readable_from}"
                )
            for relay in self.relays:
                self.check_beside(relay, machine)

    def check_beside(self, relay: Machine, server: Machine) -> None:
        """S7: whoever serves beside each other gets on, but for what people did by hand."""
        is_known = relay.name not in self.foreign and server.name not in self.foreign
        if (
            is_known
            and relay.serves
            and server.is_up
            and not relay.is_cut
            and relay.name not in self.given_up.get(server.name, ())
            and not self.releases.may_relay(relay.release, server.release)
        ):
            self.break_(
                f"S7 relay {relay.name} at {relay.release} serves beside {server.name}"
                f" at {server.release}"
            )
