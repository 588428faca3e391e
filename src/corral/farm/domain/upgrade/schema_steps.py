"""The two halves of the schema's change, and what each has to wait for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corral.farm.domain.upgrade.blueprint import Step, StepKind
from corral.farm.domain.upgrade.look import Candidate, thing
from corral.farm.domain.upgrade.obstacle import Obstacle
from corral.farm.domain.upgrade.preflight import backup, before_anything, fact_missing, tasks
from corral.farm.domain.upgrade.watched import under_way_in_database

if TYPE_CHECKING:
    from collections.abc import Iterator

    from corral.farm.domain.upgrade.look import InTheWay, Look


def expand(look: Look) -> Iterator[Candidate]:
    """Give the schema what the new release needs, once, if it lacks that."""
    said = look.facts.schema(look.policy.new)
    schema = look.inventory.schema
    if not look.leads_forward or said is None or schema.step >= said.expands_to:
        return
    waits = [
        *before_anything(look),
        *backup(look, of_this_schema=True),
        *_everybody_reads(look, said.readable_from),
        *_begun(look, StepKind.EXPAND),
    ]
    # Whatever was begun since the backup: tasks write, too.
    if look.touches.has_begun:
        waits += tasks(look, look.inventory.tasks)
    evidence = (
        f"schema {schema.step} becomes {said.expands_to}; every server works on it; a backup of it"
        " was restored once"
    )
    yield Candidate(Step(StepKind.EXPAND), evidence, tuple(waits))


def contract(look: Look) -> Iterator[Candidate]:
    """Take from the schema what only the old release needs."""
    said = look.facts.schema(look.policy.new)
    waits = [*not_all_there(look), *tasks(look, look.inventory.tasks)]
    if said is None:
        waits += fact_missing(look, look.policy.new)
    waits += _begun(look, StepKind.CONTRACT)
    evidence = f"everything runs {look.policy.new}, and somebody has said to finalise"
    yield Candidate(Step(StepKind.CONTRACT), evidence, tuple(waits))


def not_all_there(look: Look) -> Iterator[InTheWay]:
    """Say who was not seen to serve the wanted release.

    Silence cannot be accepted here, and neither can what somebody says that a server runs: what is
    taken from the schema comes back only with a backup.
    """
    for server in (*look.servers, *look.relays):
        if look.is_unsaid(server) or not look.is_there(server):
            running = server.release or "an unknown release"
            if not server.is_online:
                how = f"it is silent, and ran {running} when it was last heard of"
            elif look.is_unsaid(server):
                how = "it does not say which release it runs"
            elif server.release != look.wanted:
                how = f"it runs {running}"
            else:
                how = f"it runs {running}, and was not seen to serve since"
            yield from look.in_the_way(Obstacle.NOT_ALL_THERE, thing(server), how, (thing(server),))


def would_lose_somebody(look: Look, kind: StepKind) -> bool:
    """Whether a change that was begun long ago would now be made under who cannot work on it."""
    if kind is StepKind.CONTRACT:
        return any(not_all_there(look))
    said = look.facts.schema(look.policy.new)
    return said is not None and any(_everybody_reads(look, said.readable_from))


def is_contracted(look: Look) -> bool:
    """Whether nothing is left that only the old release needs."""
    said = look.facts.schema(look.policy.new)
    if said is None:
        return not look.stands(Obstacle.SCHEMA_FACT_MISSING, f"farm-{look.policy.new}")
    return said.contracts_to is None or look.inventory.schema.step >= said.contracts_to


def _everybody_reads(look: Look, readable_from: str) -> Iterator[InTheWay]:
    """Whoever works on the database now has to work on what becomes of it."""
    for release in sorted({one.release for one in look.servers if one.release is not None}):
        reads = look.facts.reads(release, readable_from)
        if reads is None:
            yield from fact_missing(look, release)
        elif not reads:
            yield from look.in_the_way(
                Obstacle.SCHEMA_UNREADABLE,
                f"farm-{release}",
                f"the expanded schema is readable from {readable_from} on, and {release} knows"
                " less",
            )
    for server in look.servers:
        if server.release is None:
            yield from look.in_the_way(
                Obstacle.RELEASE_UNKNOWN, thing(server), "it does not say which release it runs"
            )


def _begun(look: Look, kind: StepKind) -> Iterator[InTheWay]:
    begun, schema = look.touches.schema, look.inventory.schema
    if begun is None or begun.step.kind is not kind or begun.generation <= look.policy.forgiven:
        return
    if schema.problem and schema.problem_of == begun.generation:
        yield from look.in_the_way(Obstacle.SCHEMA_STEP_FAILED, "farm", schema.problem)
    elif not look.is_lost(begun):
        yield from under_way_in_database(look, begun)
