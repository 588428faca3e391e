"""How many tasks may run at once, by kind and by server: one rule, asked wherever one may start."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from corral.farm.domain.task.task import TaskKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from corral.farm.domain.task.task import Task


def _of_farm() -> Mapping[TaskKind, int]:
    return MappingProxyType(
        {
            TaskKind.IMPORT: 4,
            TaskKind.REPLICATE: 32,
            TaskKind.VERIFY: 8,
            TaskKind.HEAL: 8,
            TaskKind.COLLECT: 8,
            TaskKind.SCRUB: 8,
            TaskKind.SEAL: 32,
            TaskKind.REBALANCE: 8,
            TaskKind.BACKUP: 1,
            TaskKind.LIBRARY: 4,
            # Each is a virtual machine on its server.
            TaskKind.REPUBLISH: 4,
            # They only watch, and must not take the places of those that do something.
            TaskKind.RELAY: 16,
        }
    )


@dataclass(frozen=True)
class Limits:
    """What a farm does at once."""

    of_kind: Mapping[TaskKind, int] = field(default_factory=_of_farm)
    """Tasks of a kind in the whole farm."""
    of_server: int = 3
    """Tasks that read or write the store of one server."""
    of_kind_on_server: int = 1
    """Tasks of one kind on one server."""
    of_farm: int = 40
    """Tasks that are bound to no server; most of them only watch."""

    def reached_by(self, task: Task, running: Iterable[Task]) -> str:
        """Say which limit keeps ``task`` from starting beside ``running``; nothing if none does."""
        others = [one for one in running if one.number != task.number]
        kind, server = task.request.kind, task.request.server
        alike = [one for one in others if one.request.kind is kind]
        if len(alike) >= self.of_kind[kind]:
            return f"{len(alike)} tasks of the kind {kind} run already, as many as may at once"
        if server is None:
            free = [one for one in others if one.request.server is None]
            full = len(free) >= self.of_farm
            return f"{len(free)} tasks without a server run already" if full else ""
        there = [one for one in others if one.request.server == server]
        if len(there) >= self.of_server:
            return f"{server} runs {len(there)} tasks already, as many as it may at once"
        same = [one for one in there if one.request.kind is kind]
        if len(same) >= self.of_kind_on_server:
            return f"task {same[0].number} of the same kind runs on {server}"
        return ""
