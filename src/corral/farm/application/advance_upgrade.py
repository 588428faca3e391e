"""Take the next step of the upgrade that is under way, if there is one and it can be taken now.

Called by every worker about once a second. Nothing is kept between two calls: whoever calls next,
in whichever process and of whichever release, looks at the farm and goes on.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final
from uuid import UUID

from corral.farm.application.check_farm import CheckFarm
from corral.farm.application.look_at_upgrade import kit_of, look_at_upgrade
from corral.farm.application.ports.upgrades import CanaryDisk
from corral.farm.domain.access.ticket import TICKET_LIFE, Purpose, Ticket
from corral.farm.domain.estate.releases import OrderedSwitch, ReleaseOrder
from corral.farm.domain.library.manifest import FarmManifest
from corral.farm.domain.library.release import Release
from corral.farm.domain.upgrade.adoption import Adopted, blueprint_of, may_adopt
from corral.farm.domain.upgrade.blueprint import Blueprint, StepKind
from corral.farm.domain.upgrade.errors import ReleaseProgramError
from corral.farm.domain.upgrade.inventory import Canary
from corral.farm.domain.upgrade.state import TRANSITIONS, UpgradeEvent

if TYPE_CHECKING:
    from datetime import datetime

    from corral.farm.application.look_at_upgrade import UpgradeLook
    from corral.farm.application.ports.certificates import CertificateAuthority, CertificateFiles
    from corral.farm.application.ports.farm_key import FarmKey
    from corral.farm.application.ports.records import Records, Transactions
    from corral.farm.application.ports.schema import DatabaseSchema
    from corral.farm.application.ports.sources import Clock
    from corral.farm.application.ports.upgrades import CanaryReader, ReleasePrograms
    from corral.farm.domain.estate.server import Server, ServerId
    from corral.farm.domain.image.version import Version
    from corral.farm.domain.library.manifest import SchemaFacts
    from corral.farm.domain.upgrade.blueprint import Step
    from corral.farm.domain.upgrade.plan import Plan

CANARY: Final = UUID("c0bbad1e-0000-4000-8000-000000000001")
"""Whom a canary's ticket names: no device that there is."""


@dataclass(frozen=True)
class Advance:
    """What became of one look."""

    plan: Plan
    adopted: Blueprint | None = None
    """The step that was taken; none if none was to be, or somebody else took one."""
    is_left: bool = False
    """Whether one comes next that this machine cannot take."""


class AdvanceUpgrade:
    """Looks, plans, adopts one step and carries it out."""

    def __init__(  # noqa: PLR0913 - one for each port
        self,
        *,
        transactions: Transactions,
        schema: DatabaseSchema,
        programs: ReleasePrograms,
        canary: CanaryReader,
        key: FarmKey,
        authority: CertificateAuthority,
        certificates: CertificateFiles,
        clock: Clock,
    ) -> None:
        self._transactions = transactions
        self._check_farm = CheckFarm(transactions, key, certificates, clock)
        self._schema = schema
        self._programs = programs
        self._canary = canary
        self._key = key
        self._authority = authority
        self._clock = clock

    def __call__(self, by: str) -> Advance | None:
        """Give what was done; none if no upgrade is under way."""
        with self._transactions.reading() as records:
            look = self._look(records)
        if look is None:
            return None
        undone = left_undone(look, by)
        if undone is not None:
            self._act(look, undone)
            return Advance(look.plan(), undone)
        look = look.checked(lambda: self._check_farm().findings)
        plan = look.plan()
        if plan.event is not None:
            self._move(look, plan.event, plan.evidence)
        self._note_arrival(look, plan)
        if plan.step is None or not self._can(look, plan.step):
            return Advance(plan, is_left=plan.step is not None)
        blueprint = self._adopt(look, plan.step, plan.evidence, by)
        if blueprint is not None:
            self._act(look, blueprint)
        return Advance(plan, blueprint)

    def _look(self, records: Records) -> UpgradeLook | None:
        upgrade = records.upgrades.find_open()
        if upgrade is None:
            return None
        return look_at_upgrade(records, upgrade, self._schema.look(), self._clock.now())

    def _can(self, look: UpgradeLook, step: Step) -> bool:
        """Whether this machine can carry it out; if not, another one's worker does."""
        match step.kind:
            case StepKind.EXPAND | StepKind.CONTRACT:
                return self._programs.has(look.upgrade.new)
            case StepKind.CANARY:
                return self._canary.is_here
            case _:
                return True

    def _adopt(self, look: UpgradeLook, step: Step, evidence: str, by: str) -> Blueprint | None:
        """Write the step down with its effect, if the farm is still such that it comes next."""
        planned = blueprint_of(
            step,
            evidence,
            look.newest,
            look.inventory,
            upgrade=look.upgrade.number,
            farm_generation=0,
            now=look.at,
            by=by,
        )
        with self._transactions.writing() as records:
            again = self._look(records)
            if again is None or again.upgrade.id != look.upgrade.id:
                return None
            verdict = may_adopt(planned, again.newest, again.policy, again.inventory, again.plan())
            if not isinstance(verdict, Adopted):
                return None
            _apply(records, step, planned.generation)
            records.farm.raise_generation()
            blueprint = replace(planned, farm_generation=records.farm.get().generation)
            records.blueprints.add(blueprint)
            return blueprint

    def _note_arrival(self, look: UpgradeLook, plan: Plan) -> None:
        """Remember since when everything was seen to serve the wanted release."""
        if plan.is_all_there is (look.upgrade.runs_since is not None):
            return
        with self._transactions.writing() as records:
            seen = records.upgrades.with_id(look.upgrade.id)
            if seen.revision == look.upgrade.revision:
                since = look.at if plan.is_all_there else None
                records.upgrades.change(seen, replace(seen, runs_since=since))

    def _act(self, look: UpgradeLook, blueprint: Blueprint) -> None:
        """Do what is not done by writing it down. Doing it twice does no harm."""
        kind, server = blueprint.step.kind, blueprint.step.server
        try:
            if kind is StepKind.EXPAND:
                self._programs.expand(look.upgrade.new)
            elif kind is StepKind.CONTRACT:
                self._programs.contract(look.upgrade.new)
            elif kind is StepKind.CANARY and server is not None:
                self._try(server, blueprint)
        except ReleaseProgramError as error:
            self._note_schema(look, error.message, blueprint)

    def _move(self, look: UpgradeLook, event: UpgradeEvent, why: str) -> None:
        with self._transactions.writing() as records:
            seen = records.upgrades.with_id(look.upgrade.id)
            # Who has moved it since may have looked at what this is about.
            is_as_seen = seen.revision == look.upgrade.revision
            if is_as_seen and (seen.state, event) in TRANSITIONS:
                records.upgrades.change(seen, seen.moved(event, self._clock.now(), why))

    def _note_schema(self, look: UpgradeLook, problem: str, blueprint: Blueprint) -> None:
        """Remember what went wrong: the next look sees it, and the upgrade is paused for it."""
        with self._transactions.writing() as records:
            seen = records.upgrades.with_id(look.upgrade.id)
            noted = replace(seen, schema_problem=problem, schema_problem_of=blueprint.generation)
            records.upgrades.change(seen, noted)

    def _try(self, server_id: ServerId, blueprint: Blueprint) -> None:
        """Read a disk through the server as a device would, and remember how it went."""
        with self._transactions.reading() as records:
            server = records.servers.with_id(server_id)
            disk = _smallest(records, server_id)
            root = self._authority.root(records.farm.get())
        now = self._clock.now()
        # A server that holds no disk gives nothing that could be wrong.
        problem = "" if disk is None else self._canary.read(self._disk(server, disk, root, now))
        said = None if server.last_report is None else server.last_report.releases
        if said is None:
            return
        release = Release.parse(said.running)
        with self._transactions.writing() as records:
            records.canaries.put(Canary(server_id, release, blueprint.generation, now, problem))

    def _disk(self, server: Server, version: Version, authority: str, now: datetime) -> CanaryDisk:
        expires_at = now + TICKET_LIFE
        ticket = Ticket(Purpose.TRY, CANARY, expires_at, version.root)
        return CanaryDisk(
            server=server.name,
            addresses=server.advertised,
            tls=server.requires_tls,
            authority=authority,
            export=str(version.name),
            root=version.root,
            size_bytes=version.size_bytes,
            ticket=ticket.sealed(self._key.sign(ticket.message())),
            expires_at=expires_at,
        )


def left_undone(look: UpgradeLook, by: str) -> Blueprint | None:
    """Give the step that a worker adopted and was kept from carrying out, by an outage, say.

    Who looks is not busy with any: what it adopted itself and nobody has seen done is undone. What
    was adopted before the farm was restored is not done any more, but planned anew. A change of the
    schema waits while a server could not work on what becomes of it: an outage may last long.
    """
    schema, said = look.inventory.schema, _schema_facts(look)
    tried = {one.server: one.blueprint for one in look.inventory.canaries}
    later: set[ServerId | None] = set()
    for one in reversed(look.history):
        server, generation = one.step.server, one.generation
        is_ours = one.by == by and one.epoch == look.inventory.epoch
        if server not in later and is_ours:
            match one.step.kind:
                case StepKind.CANARY if server is not None and tried.get(server, 0) < generation:
                    return one
                case StepKind.EXPAND | StepKind.CONTRACT if schema.problem_of < generation:
                    is_expand = one.step.kind is StepKind.EXPAND
                    wanted = None
                    if said is not None:
                        wanted = said.expands_to if is_expand else said.contracts_to
                    is_due = wanted is not None and schema.step < wanted
                    if is_due and not look.would_lose_somebody(one.step.kind):
                        return one
                case _:
                    pass
        later.add(server)
    return None


def _schema_facts(look: UpgradeLook) -> SchemaFacts | None:
    return look.facts.facts.schema if isinstance(look.facts.facts, FarmManifest) else None


def _smallest(records: Records, server: ServerId) -> Version | None:
    """Give the smallest disk that the server offers to devices."""
    images = {image.id for image in records.images.all()}
    offered = (
        version
        for replica in records.replicas.of_server(server)
        if replica.is_complete and replica.is_offered
        for version in records.versions.with_root(replica.root)
        if version.is_published and version.image_id in images
    )
    return min(offered, key=lambda one: (one.size_bytes, one.name), default=None)


def _apply(records: Records, step: Step, generation: int) -> None:
    """Wish for what the step says; the server's process does it."""
    if step.server is None:
        return
    before = records.release_orders.find(step.server) or ReleaseOrder(generation)
    order = replace(before, number=generation)
    match step.kind:
        case StepKind.DRAIN:
            records.servers.set_draining(step.server, draining=True)
            return
        case StepKind.CANARY:
            return
        case StepKind.INSTALL:
            kit = None if step.release is None else kit_of(records, step.release)
            order = replace(order, install=kit or order.install)
        case StepKind.SWITCH:
            order = replace(order, run=OrderedSwitch(str(step.release), str(step.expects)))
        case StepKind.REST:
            order = replace(order, rest=True)
        case StepKind.SERVE:
            order = replace(order, rest=False)
            records.servers.set_draining(step.server, draining=False)
        case StepKind.EXPAND | StepKind.CONTRACT:
            return
    records.release_orders.put(step.server, order)
