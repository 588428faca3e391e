"""What has to hold before a farm, or one server of it, is disturbed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from corral.farm.domain.check.finding import Kind, Severity
from corral.farm.domain.library.compatibility import (
    Allowed,
    EngineFacts,
    Forbidden,
    laggards,
    may_serve,
    may_upgrade,
)
from corral.farm.domain.library.manifest import FarmManifest, PreActionKind
from corral.farm.domain.library.release import Component
from corral.farm.domain.naming import some_of
from corral.farm.domain.upgrade.check import BACKUP_AGE
from corral.farm.domain.upgrade.look import once, once_each, thing
from corral.farm.domain.upgrade.obstacle import Obstacle
from corral.farm.domain.upgrade.state import UpgradeState

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from corral.farm.domain.library.manifest import ReleaseManifest
    from corral.farm.domain.library.release import Release
    from corral.farm.domain.task.task import Task
    from corral.farm.domain.upgrade.inventory import SeenConsole, SeenServer, VerifiedBackup
    from corral.farm.domain.upgrade.look import InTheWay, Look

CAUSED: Final = frozenset({Kind.RELAY_REFUSES, Kind.SERVER_SILENT})
"""What the upgrade itself brings about, and looks at itself."""


@once
def before_anything(look: Look) -> Iterator[InTheWay]:
    """Say what keeps the farm from being disturbed at all."""
    if not look.leads_forward:
        yield from _computers_ahead(look)
        return
    yield from _releases(look)
    yield from _installed(look)
    yield from _computers_behind(look)
    yield from _servers_behind(look)
    yield from _targets_behind(look)
    yield from _findings(look)
    for name in look.inventory.rollouts:
        yield from look.in_the_way(Obstacle.ROLLOUT_UNDER_WAY, f"rollout {name}", "it is under way")
    if not look.touches.has_begun:
        yield from _pre_actions(look)
        yield from tasks(look, look.inventory.tasks)
        yield from backup(look, of_this_schema=False)


def before_server(look: Look, server: SeenServer) -> Iterator[InTheWay]:
    """Say what else keeps one server from being disturbed."""
    if look.leads_forward and look.touches.has_begun:
        theirs = [one for one in look.inventory.tasks if one.request.server == server.name]
        yield from tasks(look, theirs)


@once_each
def before_way_back(look: Look, server: SeenServer) -> Iterator[InTheWay]:
    """Say why a server could not work on the schema, or not be switched back any more."""
    schema = look.inventory.schema
    said = look.facts.schema(look.wanted)
    if said is None:
        yield from fact_missing(look, look.wanted)
    else:
        if look.leads_forward and schema.step < said.expands_to:
            yield from look.in_the_way(
                Obstacle.SCHEMA_BEHIND,
                thing(server),
                f"the schema is at {schema.step}, and {look.wanted} needs {said.expands_to}",
            )
        if said.head < schema.readable_from:
            yield from _unreadable(look, server, look.wanted)
    # Who finalises has given up the way back: a server that left is brought there all the same.
    if not look.leads_forward or look.policy.state is UpgradeState.FINALISING:
        return
    if look.policy.old not in server.installed:
        yield from look.in_the_way(
            Obstacle.WAY_BACK_MISSING, thing(server), f"{look.policy.old} does not lie there"
        )
    reads = look.facts.reads(look.policy.old, schema.readable_from)
    if reads is None:
        yield from fact_missing(look, look.policy.old)
    elif not reads:
        yield from _unreadable(look, server, look.policy.old)


def fact_missing(look: Look, release: Release) -> Iterator[InTheWay]:
    """Say that a release does not say which schema it needs."""
    yield from look.in_the_way(
        Obstacle.SCHEMA_FACT_MISSING,
        f"farm-{release}",
        f"nothing is known of the schema that {release} needs",
    )


def tasks(look: Look, active: Iterable[Task]) -> Iterator[InTheWay]:
    """Say which tasks would be interrupted."""
    for task in active:
        yield from look.in_the_way(
            Obstacle.TASK_ACTIVE,
            f"task {task.number}",
            f"{task.request.kind.value} of {task.request.object or 'the farm'} is"
            f" {task.state.value} since {task.created_at:%Y-%m-%d %H:%M}",
        )


def backup(look: Look, *, of_this_schema: bool) -> Iterator[InTheWay]:
    """Say why there is no backup to go back to."""
    seen, schema = look.inventory.backup, look.inventory.schema
    if seen is None:
        message = "none was ever verified"
    elif seen.age > BACKUP_AGE:
        hours = seen.age.total_seconds() / 3600
        message = f"the newest that was verified is {hours:.0f} hours old"
    elif seen.epoch != look.inventory.epoch:
        message = "the newest that was verified is from before the farm was restored"
    elif of_this_schema and seen.step != schema.step:
        message = (
            f"the newest that was verified has schema {seen.step}, and the farm has {schema.step}"
        )
    else:
        yield from _backup_unread(look, seen)
        return
    yield from look.in_the_way(Obstacle.BACKUP_LACKING, "farm", message)


def _backup_unread(look: Look, seen: VerifiedBackup) -> Iterator[InTheWay]:
    """Say that only this release has read it; the one that is gone to has to understand it, too."""
    if seen.read_by != look.policy.new:
        by = "by no other release" if seen.read_by is None else f"by {seen.read_by}"
        yield from look.in_the_way(
            Obstacle.BACKUP_UNREAD,
            "farm",
            f"the newest that was verified was read {by}, and not by {look.policy.new}",
        )


def _pre_actions(look: Look) -> Iterator[InTheWay]:
    """Say what the release asks for beforehand and is not seen to be done."""
    seen = look.inventory.backup
    for one in look.manifest.upgrades.asked_of(look.policy.old):
        what = "by hand, and confirmed by accepting this"
        is_done = False
        if one.kind is PreActionKind.BACKUP_WITH_CHUNKS:
            what = "'corral backup create --with-chunks', then verify it"
            is_done = seen is not None and seen.has_chunks
        if not is_done:
            yield from look.in_the_way(
                Obstacle.PRE_ACTION_OPEN,
                f"action {one.name}",
                f"{look.manifest.name} asks for it ({what}): {one.because}"
                f" (fact {look.manifest.fact('first')})",
            )


def _unreadable(look: Look, server: SeenServer, release: Release) -> Iterator[InTheWay]:
    schema = look.inventory.schema
    yield from look.in_the_way(
        Obstacle.SCHEMA_UNREADABLE,
        thing(server),
        f"{release} does not work on schema {schema.step}, which is readable from"
        f" {schema.readable_from} on",
    )


def _releases(look: Look) -> Iterator[InTheWay]:
    verdict = may_upgrade(look.policy.old, look.manifest, look.inventory.known)
    if isinstance(verdict, Forbidden):
        yield from look.in_the_way(Obstacle.RELEASE_FORBIDDEN, look.manifest.name, str(verdict))


def _installed(look: Look) -> Iterator[InTheWay]:
    """Every server and relay has the release before the first is disturbed."""
    if look.touches.has_begun:
        return
    for server in (*look.servers, *look.relays):
        is_left = not server.is_online and not look.stands(Obstacle.SERVER_SILENT, thing(server))
        if not is_left and look.wanted not in server.installed and server.release != look.wanted:
            yield from look.in_the_way(
                Obstacle.NOT_INSTALLED, thing(server), f"{look.wanted} does not lie there"
            )


def _computers_behind(look: Look) -> Iterator[InTheWay]:
    for one in laggards(look.manifest, look.inventory.computers):
        heard = "" if one.seen_at is None else f"; last heard of {one.seen_at:%Y-%m-%d %H:%M}"
        yield from look.in_the_way(
            Obstacle.COMPUTERS_BEHIND,
            f"computer {one.computer}",
            f"{one.why.words}{heard}",
            ("farm",) if _cure_needs_farm(look) else (),
        )


def _cure_needs_farm(look: Look) -> bool:
    """Whether every engine that could follow the new farm needs it to be there first."""
    old = look.facts.farms.get(look.policy.old)
    engines = [one for one in look.inventory.known if one.component is Component.ENGINE]
    cures = [one for one in engines if not laggards(look.manifest, [("", EngineFacts.of(one))])]
    return (
        old is not None
        and bool(cures)
        and not any(isinstance(may_serve(old, one.release, one), Allowed) for one in cures)
    )


def _computers_ahead(look: Look) -> Iterator[InTheWay]:
    old = look.facts.farms.get(look.policy.old)
    if old is None:
        return
    engines = {
        one.release: one for one in look.inventory.known if one.component is Component.ENGINE
    }
    for name, engine in sorted(look.inventory.computers, key=lambda one: one[0]):
        if engine is None:
            continue
        verdict = may_serve(old, engine.release, engines.get(engine.release))
        if isinstance(verdict, Forbidden):
            yield from look.in_the_way(Obstacle.COMPUTERS_AHEAD, f"computer {name}", verdict.words)


def _servers_behind(look: Look) -> Iterator[InTheWay]:
    oldest = _said(look.manifest).oldest_server
    for server in look.servers:
        if oldest is not None and server.release is not None and server.release < oldest:
            yield from look.in_the_way(
                Obstacle.SERVERS_BEHIND,
                thing(server),
                f"it runs {server.release}, and {look.manifest.name} directs servers from {oldest}"
                f" on (fact {look.manifest.fact('oldest-server')})",
            )


def _targets_behind(look: Look) -> Iterator[InTheWay]:
    oldest = _said(look.manifest).oldest_target
    if oldest is None:
        return
    said = dict(look.inventory.targets)
    streaming = {str(one.name) for one in look.inventory.placement.devices}
    for name in sorted(streaming | said.keys()):
        release = said.get(name)
        if release is None or release < oldest:
            yield from look.in_the_way(
                Obstacle.TARGETS_BEHIND,
                f"device {name}",
                f"its client is {release or 'of an unknown release'}, and {look.manifest.name}"
                f" streams to clients from {oldest} on"
                f" (fact {look.manifest.fact('oldest-target')})",
            )


def consoles_behind(look: Look) -> Iterator[InTheWay]:
    """Say who works with a command line that the new farm does not answer."""
    if not look.leads_forward:
        return
    for one, why in too_old(look.manifest, look.inventory.consoles):
        yield from look.in_the_way(Obstacle.CONSOLES_BEHIND, f"console {one.who}", why)


def too_old(
    manifest: ReleaseManifest, consoles: Iterable[SeenConsole]
) -> Iterator[tuple[SeenConsole, str]]:
    """Give the consoles, by name, that are not answered once that release is finalised, and why."""
    oldest = _said(manifest).oldest_console
    if oldest is None:
        return
    behind = [one for one in consoles if one.release is None or one.release < oldest]
    for one in sorted(behind, key=lambda one: one.who):
        why = (
            f"it is {one.release or 'of an unknown release'}, last seen"
            f" {one.seen_at:%Y-%m-%d %H:%M}, and {manifest.name} answers those from {oldest} on"
            f" (fact {manifest.fact('oldest-console')})"
        )
        yield one, why


def _findings(look: Look) -> Iterator[InTheWay]:
    found: dict[str, list[str]] = {}
    for one in look.inventory.findings:
        if one.kind.severity is Severity.ERROR and one.kind not in CAUSED:
            found.setdefault(one.thing, []).append(f"{one.kind.code}: {one.message}")
    for where, said in sorted(found.items()):
        yield from look.in_the_way(Obstacle.FARM_UNSOUND, where, some_of(said))


def _said(manifest: ReleaseManifest) -> FarmManifest:
    said = manifest.facts
    if not isinstance(said, FarmManifest):
        message = f"{manifest.name} is no release of the farm"
        raise TypeError(message)
    return said
