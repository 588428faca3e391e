"""What a server does while the farm observes: it keeps all that it has, and says what that is.

The farm was restored from a backup, and may not know of what it told this server afterwards. Its
word is joined to what is in force: it adds, and takes nothing away.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from corral.wire.server import HeldVersion, Holdings, ReplicaState

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from corral.wire.overlay import Overlay
    from corral.wire.server import Replica, ReplicaReport, ServerConfiguration


def joined(
    in_force: ServerConfiguration | None, wanted: ServerConfiguration
) -> ServerConfiguration:
    """Give what is to be in force; ``wanted`` itself unless the farm observes."""
    if not wanted.observes:
        return wanted
    if in_force is None:
        return wanted.model_copy(update={"followed": 0})
    exports = {one.name: one for one in wanted.exports} | {
        one.name: one for one in in_force.exports
    }
    # Those of the farm first: they have its peers of today.
    replicas = {one.root: one for one in in_force.replicas} | {
        one.root: _with_what_is_known(one, in_force.replicas) for one in wanted.replicas
    }
    return wanted.model_copy(
        update={
            "exports": tuple(sorted(exports.values(), key=lambda one: one.name)),
            "replicas": tuple(replicas.values()),
            "overlays": tuple(_overlays(in_force, wanted)),
            "draining": in_force.draining,
            "relay": in_force.relay,
            "order": in_force.order,
            "removals": (),
            "moves": (),
            "followed": _followed(in_force, wanted),
        }
    )


def holdings(in_force: ServerConfiguration, states: Iterable[ReplicaReport]) -> Holdings | None:
    """Say what is held; nothing while nobody asks."""
    if not in_force.observes:
        return None
    complete = {one.root for one in states if one.state is ReplicaState.COMPLETE}
    return Holdings(
        generation=in_force.followed or 0,
        versions=tuple(_versions(in_force, complete)),
        overlays=in_force.overlays,
    )


def _with_what_is_known(one: Replica, others: Iterable[Replica]) -> Replica:
    """Take where the version stands from what was said later: before the farm was restored."""
    known = next((other for other in others if other.root == one.root), None)
    if known is None or not known.standing:
        return one
    return one.model_copy(update={"standing": known.standing})


def _overlays(in_force: ServerConfiguration, wanted: ServerConfiguration) -> Iterator[Overlay]:
    """Give one for each export: what its device writes to now.

    That is what is in force, and what the restored farm began for a device that started anew. What
    else the backup names was given up since, or became a version. Nothing of what is not named is
    removed meanwhile.
    """
    restored_at = wanted.restored_at or 0
    began = (
        one
        for one in wanted.overlays
        if one.created_at is not None and one.created_at >= restored_at
    )
    yield from {one.export: one for one in (*in_force.overlays, *began)}.values()


def _followed(in_force: ServerConfiguration, wanted: ServerConfiguration) -> int:
    if in_force.observes and in_force.restored_at == wanted.restored_at:
        return in_force.followed or 0
    return in_force.generation


def _versions(in_force: ServerConfiguration, complete: set[str]) -> Iterator[HeldVersion]:
    by_root = {one.root: one for one in in_force.replicas}
    offered: set[str] = set()
    for export in in_force.exports:
        replica = by_root.get(export.root)
        if replica is not None:
            offered.add(export.name)
            yield _held(export.name, export.standing, replica, complete, is_offered=True)
    for replica in in_force.replicas:
        if replica.export not in offered:
            yield _held(replica.export, replica.standing, replica, complete, is_offered=False)


def _held(
    export: str, standing: str, replica: Replica, complete: set[str], *, is_offered: bool
) -> HeldVersion:
    return HeldVersion(
        export=export,
        root=replica.root,
        signature=replica.signature,
        size_bytes=replica.size_bytes,
        standing=standing,
        content=replica.content,
        offered=is_offered,
        complete=replica.root in complete,
    )
