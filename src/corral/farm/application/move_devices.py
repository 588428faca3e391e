"""Carry moves out: ask devices in their turn, and see which have gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corral.farm.application.look_at_placement import hosts_of, look_at_placement
from corral.farm.domain.delivery.move import OrderedMove, advance, after_moves
from corral.farm.domain.delivery.rebalance import Occasion, Plan, Quiet, Reason, plan_rebalance

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from corral.farm.application.ports.records import Records
    from corral.farm.domain.delivery.placement import Placement
    from corral.farm.domain.delivery.rebalance import BalanceRules
    from corral.farm.domain.estate.server import ServerId


def advance_moves(records: Records, now: datetime) -> None:
    """Let the open moves go on by what is known now."""
    moves = records.moves.in_progress()
    if not moves:
        return
    places = records.places.of_devices([move.device_id for move in moves])
    known = {place.device_id: place for place in places}
    for changed in advance(moves, known, hosts_of(records, now), now):
        records.moves.put(changed)


def order_moves(records: Records, plan: Plan, now: datetime) -> None:
    """Have a plan carried out, and begin."""
    for move in plan.moves:
        records.moves.put(OrderedMove.of(move, now))
    advance_moves(records, now)


def plan_round(
    records: Records,
    rules: BalanceRules,
    occasion: Occasion,
    sources: frozenset[ServerId] | None,
    now: datetime,
) -> Plan:
    """Plan a round for each site by itself: nobody is moved over the line between two."""
    under_way = records.moves.in_progress()
    placement = after_moves(look_at_placement(records, now), under_way)
    resting = frozenset(
        move.device_id for move in (*under_way, *records.moves.of_time_since(now - rules.every))
    )
    sites = sorted({host.site_id for host in placement.hosts})
    plans = [
        plan_rebalance(_of_site(placement, site), rules, occasion, sources, resting)
        for site in sites
        if sources is None
        or any(host.id in sources for host in placement.hosts if host.site_id == site)
    ]
    return _together(plans)


def balance_if_due(records: Records, now: datetime) -> None:
    """Make an automatic round, if its time has come and the last one's moves are done."""
    last = records.balance.last_round_at()
    rules = records.balance.get()
    if not rules.is_automatic or (last is not None and now - last < rules.every):
        return
    if records.moves.in_progress():
        return
    records.balance.note_round(now)
    order_moves(records, plan_round(records, rules, Occasion.AUTOMATIC, None, now), now)


def _of_site(placement: Placement, site: object) -> Placement:
    hosts = tuple(host for host in placement.hosts if host.site_id == site)
    ids = {host.id for host in hosts}
    devices = tuple(device for device in placement.devices if device.place in ids)
    return type(placement)(hosts, devices)


def _together(plans: Iterable[Plan]) -> Plan:
    moves = tuple(move for plan in plans for move in plan.moves)
    quiet = tuple(reason for plan in plans for reason in plan.quiet)
    if not moves and not quiet:
        quiet = (Reason(None, Quiet.BALANCED),)
    return Plan(moves, quiet)
