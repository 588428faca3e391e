"""Bring together what the next step of an upgrade is decided on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from corral.farm.application.compatibility import Facts, release_or_none
from corral.farm.application.look_at_placement import look_at_placement
from corral.farm.domain.computer.state import ComputerState
from corral.farm.domain.estate.releases import OrderedKit
from corral.farm.domain.estate.server import ServerName
from corral.farm.domain.library.manifest import FarmManifest
from corral.farm.domain.library.release import Component
from corral.farm.domain.rollout.state import UNDER_WAY
from corral.farm.domain.upgrade.blueprint import StepKind, by_worker
from corral.farm.domain.upgrade.errors import UpgradeKitInvalidError
from corral.farm.domain.upgrade.inventory import (
    LATELY,
    Inventory,
    SeenSchema,
    SeenServer,
    VerifiedBackup,
)
from corral.farm.domain.upgrade.look import Look
from corral.farm.domain.upgrade.plan import Plan, plan
from corral.farm.domain.upgrade.schema_steps import would_lose_somebody
from corral.farm.domain.upgrade.touches import Touches

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime

    from corral.farm.application.ports.records import Records
    from corral.farm.domain.check.finding import Finding
    from corral.farm.domain.estate.server import Server, ServerId
    from corral.farm.domain.image.root import RootHash
    from corral.farm.domain.library.compatibility import EngineFacts
    from corral.farm.domain.library.item import Item, ItemName
    from corral.farm.domain.library.manifest import ReleaseManifest
    from corral.farm.domain.library.release import Release
    from corral.farm.domain.upgrade.blueprint import Blueprint
    from corral.farm.domain.upgrade.inventory import SeenConsole
    from corral.farm.domain.upgrade.policy import Policy
    from corral.farm.domain.upgrade.schema import SeenSchema as SeenDatabase
    from corral.farm.domain.upgrade.upgrade import Upgrade


@dataclass(frozen=True)
class UpgradeLook:
    """Everything that is known of an upgrade at one moment."""

    at: datetime
    upgrade: Upgrade
    kit: Item
    facts: ReleaseManifest
    policy: Policy
    inventory: Inventory
    history: tuple[Blueprint, ...]
    newest: Blueprint | None
    """The last step of all upgrades, whose successor is adopted next."""

    def plan(self) -> Plan:
        """Decide on the next step."""
        return plan(self.policy, self.inventory, Touches.of(self.history), self.facts, self.at)

    def would_lose_somebody(self, kind: StepKind) -> bool:
        """Whether somebody could not work on the schema after a change of it."""
        touches = Touches.of(self.history)
        look = Look(self.policy, self.inventory, touches, self.facts, self.at)
        return would_lose_somebody(look, kind)

    def checked(self, findings: Callable[[], Sequence[Finding]]) -> UpgradeLook:
        """Look at what the farm check finds, too, if something is about to be disturbed.

        It is not asked each second: it looks at every device of the farm, and while a server is out
        it finds what the upgrade knows.
        """
        step = self.plan().step
        if step is None or step.kind is not StepKind.DRAIN:
            return self
        return replace(self, inventory=replace(self.inventory, findings=tuple(findings())))

    def name_of(self, server: ServerId) -> ServerName:
        """Give a server's name; of one that was removed, its id."""
        found = (one.name for one in self.inventory.servers if one.id == server)
        return next(found, ServerName(str(server)))


def look_at_upgrade(
    records: Records, upgrade: Upgrade, schema: SeenDatabase, now: datetime
) -> UpgradeLook:
    """Look at an upgrade that was begun."""
    kit, facts = farm_kit(records, upgrade.kit)
    return UpgradeLook(
        at=now,
        upgrade=upgrade,
        kit=kit,
        facts=facts,
        policy=upgrade.policy(tuple(records.acceptances.all())),
        inventory=look_at_inventory(
            records,
            schema_seen(schema, upgrade.schema_problem, upgrade.schema_problem_of),
            now,
        ),
        history=tuple(records.blueprints.of_upgrade(upgrade.number)),
        newest=records.blueprints.newest(),
    )


def farm_kit(records: Records, name: ItemName) -> tuple[Item, ReleaseManifest]:
    """Give a kit of the farm's software, and what it says.

    Raises ``ItemUnknownError``, ``ItemNotAvailableError``, and ``UpgradeKitInvalidError`` for a kit
    of another component.
    """
    item = records.library_items.get(name)
    item.demand_available()
    if item.kit is None:
        raise UpgradeKitInvalidError(item.name, item.kind.value)
    manifest = item.kit.manifest
    if not isinstance(manifest.facts, FarmManifest):
        raise UpgradeKitInvalidError(item.name, manifest.component.value)
    return item, manifest


def look_at_inventory(
    records: Records,
    schema: SeenSchema,
    now: datetime,
    findings: Sequence[Finding] = (),
) -> Inventory:
    """Give what was seen of the farm."""
    facts = Facts(records)
    kits = _farm_kits(records)
    placement = look_at_placement(records, now)
    return Inventory(
        seen_at=now,
        epoch=epoch_of(records),
        servers=tuple(_server(records, one, kits, now) for one in records.servers.all()),
        placement=placement,
        schema=schema,
        computers=tuple(computers_seen(records, facts)),
        tasks=tuple(records.tasks.active()),
        rollouts=rollouts_under_way(records),
        findings=tuple(findings),
        backup=verified_backup(records, now),
        canaries=tuple(records.canaries.all()),
        consoles=consoles_seen(records, now),
        # No client says its release yet.
        targets=tuple((one.name, None) for one in placement.devices),
        known=facts.manifests,
        workers=frozenset(
            by_worker(one.name) for one in records.workers.all() if one.is_alive(now)
        ),
    )


def computers_seen(records: Records, facts: Facts) -> Iterator[tuple[str, EngineFacts | None]]:
    """Give the registered computers with the engines that they last said they run."""
    said = {one.computer_id: one for one in records.check_ins.all()}
    for computer in records.computers.all():
        if computer.state is ComputerState.REGISTERED:
            last = said.get(computer.id)
            yield computer.name, None if last is None else facts.engine(last)


def consoles_seen(records: Records, now: datetime) -> tuple[SeenConsole, ...]:
    """Give the command lines that somebody has worked with lately."""
    return tuple(one for one in records.consoles.all() if now - one.seen_at <= LATELY)


def rollouts_under_way(records: Records) -> tuple[str, ...]:
    """Give the names of those that give machines something now."""
    return tuple(one.name for one in records.rollouts.all() if one.state in UNDER_WAY)


def verified_backup(records: Records, now: datetime) -> VerifiedBackup | None:
    """Give the newest one that was restored once and found good."""
    verified = [one for one in records.backups.all() if one.verified_at is not None]
    if not verified:
        return None
    newest = max(verified, key=lambda one: one.taken_at)
    restored = records.restorations.find()
    is_older = restored is not None and newest.taken_at < restored.restored_at
    epoch = 0 if is_older else epoch_of(records)
    return VerifiedBackup(
        now - newest.taken_at,
        newest.schema,
        epoch,
        release_or_none(newest.read_by),
        newest.has_chunks,
    )


def schema_seen(seen: SeenDatabase, problem: str = "", problem_of: int = 0) -> SeenSchema:
    """Give how far the database is, and what was wrong when it was last changed."""
    step = seen.revision or ""
    # One that does not say it yet is read by whatever has its own step.
    return SeenSchema(step, seen.readable_from or step, problem=problem, problem_of=problem_of)


def epoch_of(records: Records) -> int:
    """Give what changes each time the farm is restored from a backup, and only rises."""
    restored = records.restorations.find()
    return 0 if restored is None else int(restored.restored_at.timestamp())


def kit_of(records: Records, release: Release) -> OrderedKit | None:
    """Give the kit of a release of the farm that is in the library, as a server is told of it."""
    for item in records.library_items.all():
        if (
            item.kit is not None
            and item.root is not None
            and item.version is not None
            and item.kit.manifest.component is Component.FARM
            and item.kit.manifest.release == release
        ):
            return OrderedKit(str(release), item.root, item.size_bytes, str(item.version))
    return None


def _farm_kits(records: Records) -> dict[Release, RootHash]:
    """Give the farm's releases that are in the library, as the versions that they became."""
    return {
        item.kit.manifest.release: item.root
        for item in records.library_items.all()
        if item.kit is not None
        and item.root is not None
        and item.kit.manifest.component is Component.FARM
    }


def _server(
    records: Records, server: Server, kits: Mapping[Release, RootHash], now: datetime
) -> SeenServer:
    report = server.last_report
    said = None if report is None else report.releases
    whole = {one.root for one in records.replicas.of_server(server.id) if one.is_complete}
    problem = None if said is None else said.problem
    running = "" if report is None else report.release
    if said is not None:
        running = said.running
    return SeenServer(
        id=server.id,
        name=server.name,
        is_relay=server.relay,
        is_online=server.may_be_relied_on(now),
        reported_at=None if report is None else report.at,
        configured=0 if report is None else report.generation,
        release=release_or_none(running),
        installed=frozenset(
            release
            for text in (() if said is None else said.installed)
            if (release := release_or_none(text)) is not None
        ),
        order=0 if said is None else said.order,
        is_ready=said is not None and said.is_ready,
        is_supervised=said is not None and said.is_supervised,
        session_count=0 if report is None else report.session_count,
        is_draining=server.draining,
        is_resting=said is not None and said.is_resting,
        is_in_maintenance=server.maintenance,
        staged=frozenset(release for release, root in kits.items() if root in whole),
        problem="" if problem is None else problem.message,
        problem_of=0 if problem is None else problem.order,
    )
