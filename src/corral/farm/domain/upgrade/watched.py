"""What keeps every step of a server from being taken, whichever it is.

Nobody orders anything of a server that is silent, that has said nothing since its last order, that
failed in it, or whose release nobody can account for.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from corral.farm.domain.library.compatibility import Forbidden, may_upgrade
from corral.farm.domain.upgrade.blueprint import StepKind
from corral.farm.domain.upgrade.look import once_each, thing
from corral.farm.domain.upgrade.obstacle import Obstacle

if TYPE_CHECKING:
    from collections.abc import Iterator

    from corral.farm.domain.upgrade.blueprint import Blueprint
    from corral.farm.domain.upgrade.inventory import SeenServer
    from corral.farm.domain.upgrade.look import InTheWay, Look

PATIENCE: Final = timedelta(minutes=10)
"""A step that takes longer is told of as overdue. Nothing is done about it but that."""


@once_each
def unreached(look: Look, server: SeenServer) -> Iterator[InTheWay]:
    """Say why nothing is known of a server now."""
    last = look.touched(server).last
    if not server.is_online:
        yield from silent(look, server)
    if last is not None and look.is_stale(server):
        yield from look.in_the_way(
            Obstacle.NOT_HEARD_SINCE,
            thing(server),
            f"it has said nothing since step {last.generation} ({last.step.kind}) was given to it",
        )
        yield from _overdue(look, thing(server), last)


def silent(look: Look, server: SeenServer) -> Iterator[InTheWay]:
    """Say since when nothing was heard of a server."""
    when = "never" if server.reported_at is None else f"{server.reported_at:%Y-%m-%d %H:%M:%S}"
    yield from look.in_the_way(
        Obstacle.SERVER_SILENT, thing(server), f"it was last heard of: {when}"
    )


@once_each
def unaccounted(look: Look, server: SeenServer) -> Iterator[InTheWay]:
    """Say why it is not known how a server came to run what it runs."""
    running, name = server.release, thing(server)
    if running is None:
        yield from look.in_the_way(
            Obstacle.RELEASE_UNKNOWN, name, "it does not say which release it runs"
        )
        return
    may_run = look.touched(server).may_run or (look.policy.old,)
    if running in may_run:
        return
    expected = " or ".join(map(str, may_run))
    said = f"it runs {running}, and the upgrade left it at {expected}"
    if running in (look.policy.old, look.policy.new):
        yield from look.in_the_way(Obstacle.RELEASE_UNORDERED, name, said)
    elif running > look.wanted:
        yield from look.in_the_way(Obstacle.RELEASE_NEWER, name, said)
    else:
        yield from look.in_the_way(Obstacle.RELEASE_FOREIGN, name, said)
        verdict = may_upgrade(running, look.manifest, look.inventory.known)
        if look.leads_forward and isinstance(verdict, Forbidden):
            yield from look.in_the_way(Obstacle.RELEASE_FORBIDDEN, name, str(verdict))


@once_each
def failed(look: Look, server: SeenServer) -> Iterator[InTheWay]:
    """Say what a server was ordered to and could not do, since somebody last resumed."""
    order = look.touched(server).order
    if order is None or order.generation <= look.policy.forgiven or look.is_stale(server):
        return
    step = order.step
    if not look.leads_forward and step.release == look.policy.new:
        # Whoever goes back has heard of it.
        return
    said = ""
    if server.problem and server.problem_of == order.generation:
        said = server.problem
    elif server.order >= order.generation:
        # What was seen to run after the order, and does not any more, somebody has changed by hand.
        may_run = look.touched(server).may_run
        said = _undone(order, server) if server.release in may_run else ""
    if said:
        release = "" if step.release is None else f" of {step.release}"
        yield from look.in_the_way(
            Obstacle.ORDER_FAILED,
            thing(server),
            f"step {order.generation} ({step.kind}{release}): {said}",
        )


def under_way(look: Look, server: SeenServer, blueprint: Blueprint) -> Iterator[InTheWay]:
    """Say that a step was begun on a server and is not known to have ended."""
    yield from look.in_the_way(
        Obstacle.STEP_UNDER_WAY,
        thing(server),
        f"step {blueprint.generation} ({blueprint.step.kind}) was begun by {blueprint.by}",
    )
    yield from _overdue(look, thing(server), blueprint)


def under_way_in_database(look: Look, blueprint: Blueprint) -> Iterator[InTheWay]:
    """Say that a change of the schema was begun and is not known to have ended."""
    said = f"step {blueprint.generation} ({blueprint.step.kind}) was begun by {blueprint.by}"
    yield from look.in_the_way(Obstacle.STEP_UNDER_WAY, "farm", said)
    yield from _overdue(look, "farm", blueprint)


def is_undone(look: Look, server: SeenServer, order: Blueprint) -> bool:
    """Whether a server still has to carry out an order: it neither has, nor has failed."""
    return (
        server.order < order.generation
        and not (server.problem and server.problem_of == order.generation)
        and order.generation > look.policy.forgiven
    )


def _undone(order: Blueprint, server: SeenServer) -> str:
    step = order.step
    match step.kind:
        case StepKind.SWITCH if server.release != step.release and server.release == step.expects:
            return f"it obeyed, and runs {server.release} again without saying why"
        case StepKind.INSTALL if step.release not in server.installed:
            return f"it obeyed, and {step.release} does not lie there"
        case _:
            return ""


def _overdue(look: Look, name: str, blueprint: Blueprint) -> Iterator[InTheWay]:
    since = look.now - blueprint.adopted_at
    if since > PATIENCE:
        minutes = int(since.total_seconds() // 60)
        yield from look.in_the_way(
            Obstacle.STEP_OVERDUE,
            name,
            f"step {blueprint.generation} ({blueprint.step.kind}) was begun {minutes} minutes ago"
            f" by {blueprint.by}",
        )
