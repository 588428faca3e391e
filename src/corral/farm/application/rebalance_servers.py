"""Rebalance servers by hand: move devices until each server carries its share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from corral.farm.application.move_devices import order_moves, plan_round
from corral.farm.domain.access.audit import Entry
from corral.farm.domain.delivery.rebalance import Occasion

if TYPE_CHECKING:
    from datetime import datetime

    from corral.farm.application.ports.records import Records, Transactions
    from corral.farm.application.ports.sources import Clock
    from corral.farm.domain.access.actor import Actor
    from corral.farm.domain.delivery.device import DeviceName
    from corral.farm.domain.delivery.rebalance import Reason
    from corral.farm.domain.estate.server import ServerId, ServerName
    from corral.farm.domain.estate.site import SiteName


@dataclass(frozen=True)
class MoveView:
    """Who moves where, and why."""

    device: DeviceName
    origin: ServerName
    target: ServerName
    why: str


@dataclass(frozen=True)
class Rebalance:
    """A plan as people read it."""

    moves: tuple[MoveView, ...]
    quiet: tuple[Reason, ...]
    """Why servers are left alone."""
    is_ordered: bool
    """Whether the moves are being carried out; else they were only planned."""
    at: datetime
    """When it was planned."""
    sources: frozenset[ServerName]
    """The servers that were to be relieved."""


@dataclass(frozen=True)
class Subject:
    """What somebody wanted relieved."""

    noun: str
    name: str


class RebalanceServers:
    """Plans a round, and orders its moves unless somebody only wants to see them.

    The plan and its order are one transaction: what is carried out is what the farm was like.
    """

    def __init__(self, transactions: Transactions, clock: Clock, actor: Actor) -> None:
        self._transactions = transactions
        self._clock = clock
        self._actor = actor

    def of_server(self, name: ServerName, *, is_dry_run: bool = False) -> Rebalance:
        """Relieve one server; raises ``ServerUnknownError``."""
        with self._transactions.reading() as records:
            sources = frozenset({records.servers.get(name).id})
        return self._round(Subject("server", name), sources, is_dry_run=is_dry_run)

    def of_site(self, name: SiteName, *, is_dry_run: bool = False) -> Rebalance:
        """Relieve every server of a site that bears more than its share."""
        with self._transactions.reading() as records:
            site = records.sites.get(name)
            servers = (one for one in records.servers.all() if one.site_id == site.id)
            sources = frozenset(server.id for server in servers)
        return self._round(Subject("site", name), sources, is_dry_run=is_dry_run)

    def _round(
        self, subject: Subject, sources: frozenset[ServerId], *, is_dry_run: bool
    ) -> Rebalance:
        now = self._clock.now()
        looking = self._transactions.reading if is_dry_run else self._transactions.writing
        with looking() as records:
            rules = records.balance.get()
            plan = plan_round(records, rules, Occasion.BY_HAND, sources, now)
            names = {server.id: server.name for server in records.servers.all()}
            rebalance = Rebalance(
                moves=tuple(
                    MoveView(move.device, names[move.origin], names[move.target], move.why)
                    for move in plan.moves
                ),
                quiet=plan.quiet,
                is_ordered=not is_dry_run,
                at=now,
                sources=frozenset(names[one] for one in sources),
            )
            if not is_dry_run:
                order_moves(records, plan, now)
                self._note(records, subject, rebalance, now)
        return rebalance

    def _note(self, records: Records, subject: Subject, done: Rebalance, now: datetime) -> None:
        """Note what somebody had done; what the farm does by itself is no entry of anybody's."""
        what, after = f"{subject.noun}.rebalance", {"moves": len(done.moves)}
        records.audit.note(Entry(now, self._actor, what, subject.name, None, after))
        for move in done.moves:
            was, becomes = {"server": str(move.origin)}, {"server": str(move.target)}
            records.audit.note(
                Entry(now, self._actor, "device.move", str(move.device), was, becomes)
            )
