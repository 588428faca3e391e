"""What a rehearsal supposes that people do about what is in the way."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from corral.farm.domain.delivery.placement import Placement
from corral.farm.domain.library.compatibility import EngineFacts, laggards
from corral.farm.domain.library.manifest import FarmManifest, PreActionKind
from corral.farm.domain.library.release import Component
from corral.farm.domain.upgrade.acceptance import Acceptance
from corral.farm.domain.upgrade.carried_out import with_server
from corral.farm.domain.upgrade.inventory import VerifiedBackup
from corral.farm.domain.upgrade.look import thing
from corral.farm.domain.upgrade.obstacle import Obstacle

if TYPE_CHECKING:
    from corral.farm.domain.library.manifest import ReleaseManifest
    from corral.farm.domain.library.release import Release
    from corral.farm.domain.upgrade.inventory import Inventory, SeenServer
    from corral.farm.domain.upgrade.look import InTheWay, Look
    from corral.farm.domain.upgrade.policy import Policy


def ended(look: Look, what: InTheWay) -> Inventory | None:
    """Give the farm after people have ended it; none if nothing can be supposed of that."""
    seen = look.inventory
    server = next((one for one in seen.servers if thing(one) == what.thing), None)
    match what.obstacle:
        case Obstacle.COMPUTERS_BEHIND:
            engine = engine_for(look.manifest, seen.known)
            return replace(
                seen,
                computers=tuple(
                    (name, engine if f"computer {name}" == what.thing else said)
                    for name, said in seen.computers
                ),
            )
        case Obstacle.CONSOLES_BEHIND:
            consoles = tuple(one for one in seen.consoles if f"console {one.who}" != what.thing)
            return replace(seen, consoles=consoles)
        case Obstacle.TARGETS_BEHIND:
            name = what.thing.removeprefix("device ")
            others = tuple(one for one in seen.targets if one[0] != name)
            return replace(seen, targets=(*others, (name, look.policy.new)))
        case Obstacle.FARM_UNSOUND:
            findings = tuple(one for one in seen.findings if one.thing != what.thing)
            return replace(seen, findings=findings)
        case Obstacle.BACKUP_LACKING:
            made = VerifiedBackup(timedelta(), seen.schema.step, seen.epoch, look.policy.new)
            return replace(seen, backup=made)
        case Obstacle.PRE_ACTION_OPEN if (
            seen.backup is not None and what.thing == f"action {PreActionKind.BACKUP_WITH_CHUNKS}"
        ):
            return replace(seen, backup=replace(seen.backup, has_chunks=True))
        case Obstacle.BACKUP_UNREAD if seen.backup is not None:
            return replace(seen, backup=replace(seen.backup, read_by=look.policy.new))
        case Obstacle.TASK_ACTIVE:
            tasks = tuple(one for one in seen.tasks if f"task {one.number}" != what.thing)
            return replace(seen, tasks=tasks)
        case Obstacle.ROLLOUT_UNDER_WAY:
            rollouts = tuple(one for one in seen.rollouts if f"rollout {one}" != what.thing)
            return replace(seen, rollouts=rollouts)
        case _:
            return None if server is None else _server_ended(look, server, what.obstacle)


def accepted(policy: Policy, look: Look, what: InTheWay) -> Policy:
    """Give what is wanted after somebody has taken the risk upon themselves."""
    until = look.now + timedelta(days=365)
    acceptance = Acceptance(what.risk, "somebody", until, "rehearsed", look.now)
    return replace(policy, acceptances=(*policy.acceptances, acceptance))


def _server_ended(look: Look, server: SeenServer, obstacle: Obstacle) -> Inventory | None:
    seen = look.inventory
    match obstacle:
        case Obstacle.KIT_NOT_STAGED:
            return _staged(seen, server, look.wanted)
        case Obstacle.WAY_BACK_MISSING:
            return _staged(seen, server, look.policy.old)
        case Obstacle.SERVER_SILENT:
            return with_server(seen, replace(server, is_online=True))
        case Obstacle.SERVER_IN_MAINTENANCE:
            return with_server(seen, replace(server, is_in_maintenance=False))
        case Obstacle.DRAINED_BY_HAND:
            return with_server(seen, replace(server, is_draining=False))
        case Obstacle.SERVER_UNSUPERVISED:
            return with_server(seen, replace(server, is_supervised=True, is_ready=True))
        case Obstacle.DEVICES_STRANDED:
            place = seen.placement
            left = tuple(one for one in place.devices if not one.streams_from(server.id))
            return replace(seen, placement=Placement(place.hosts, left))
        case _:
            return None


def _staged(seen: Inventory, server: SeenServer, release: Release) -> Inventory:
    return with_server(seen, replace(server, staged=server.staged | {release}))


def engine_for(farm: ReleaseManifest, known: tuple[ReleaseManifest, ...]) -> EngineFacts:
    """Give the oldest known engine that could follow the new farm, or one that just can."""
    engines = [one for one in known if one.component is Component.ENGINE]
    for one in sorted(engines, key=lambda one: one.release):
        facts = EngineFacts.of(one)
        if not laggards(farm, [("", facts)]):
            return facts
    said = farm.facts
    formats = {said.image_format} if isinstance(said, FarmManifest) else set()
    return EngineFacts(farm.release, frozenset(formats))
