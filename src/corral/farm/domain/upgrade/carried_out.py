"""A farm as it would look after a step that succeeds: what a rehearsal goes on with."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from corral.farm.domain.delivery.placement import Placement
from corral.farm.domain.delivery.ranking import Load
from corral.farm.domain.upgrade.blueprint import StepKind
from corral.farm.domain.upgrade.inventory import Canary

if TYPE_CHECKING:
    from collections.abc import Iterable

    from corral.farm.domain.delivery.placement import PlacedDevice
    from corral.farm.domain.delivery.ranking import Host
    from corral.farm.domain.estate.server import ServerId, ServerName
    from corral.farm.domain.library.manifest import SchemaFacts
    from corral.farm.domain.upgrade.blueprint import Blueprint
    from corral.farm.domain.upgrade.inventory import Inventory, SeenServer


@dataclass(frozen=True)
class Move:
    """A device goes to another server."""

    device: str
    to: ServerName | None
    """None if no server would let it in."""


def carried_out(
    inventory: Inventory, blueprint: Blueprint, schema: SchemaFacts | None
) -> tuple[Inventory, tuple[Move, ...]]:
    """Give the farm after a blueprint was carried out, and which devices moved."""
    step = blueprint.step
    if step.server is None:
        return _changed_schema(inventory, step.kind, schema), ()
    seen = next(one for one in inventory.servers if one.id == step.server)
    changed = replace(_server_after(seen, blueprint), configured=blueprint.farm_generation)
    inventory = with_server(inventory, changed)
    moves: tuple[Move, ...] = ()
    if step.kind is StepKind.DRAIN:
        placement, moves = _without_devices(inventory.placement, seen.id)
        inventory = replace(inventory, placement=placement)
    if step.kind is StepKind.CANARY and step.release is not None:
        canary = Canary(seen.id, step.release, blueprint.generation, blueprint.adopted_at)
        others = (one for one in inventory.canaries if one.server != seen.id)
        inventory = replace(inventory, canaries=(*others, canary))
    return inventory, moves


def with_server(inventory: Inventory, server: SeenServer) -> Inventory:
    """Give the farm with one server changed; where devices can go changes with it."""
    hosts = tuple(
        replace(
            host,
            is_online=server.is_online,
            takes_devices=not (server.is_draining or server.is_in_maintenance),
        )
        if host.id == server.id
        else host
        for host in inventory.placement.hosts
    )
    servers = tuple(server if one.id == server.id else one for one in inventory.servers)
    placement = Placement(hosts, inventory.placement.devices)
    return replace(inventory, servers=servers, placement=placement)


def _server_after(seen: SeenServer, blueprint: Blueprint) -> SeenServer:
    step = blueprint.step
    obeyed = max(seen.order, blueprint.generation)
    match step.kind:
        case StepKind.INSTALL if step.release is not None:
            return replace(
                seen, installed=seen.installed | {step.release}, order=obeyed, problem=""
            )
        case StepKind.REST:
            return replace(seen, is_resting=True, order=obeyed)
        case StepKind.DRAIN:
            return replace(seen, is_draining=True, session_count=0)
        case StepKind.SWITCH:
            return replace(seen, release=step.release, is_ready=True, order=obeyed, problem="")
        case StepKind.SERVE:
            return replace(seen, is_draining=False, is_resting=False)
        case _:
            return seen


def _changed_schema(inventory: Inventory, kind: StepKind, schema: SchemaFacts | None) -> Inventory:
    if schema is None:
        return inventory
    step = schema.expands_to if kind is StepKind.EXPAND else schema.head
    before = inventory.schema.readable_from
    after = schema.readable_from if kind is StepKind.EXPAND else schema.head
    changed = replace(
        inventory.schema, step=step, readable_from=max(before, after), problem="", problem_of=0
    )
    return replace(inventory, schema=changed)


def _without_devices(placement: Placement, server: ServerId) -> tuple[Placement, tuple[Move, ...]]:
    """Send each device of a server to the one that is least loaded of those it may use."""
    loads = {host.id: host.load.devices for host in placement.hosts}
    devices: list[PlacedDevice] = []
    moves: list[Move] = []
    for device in sorted(placement.devices, key=lambda one: one.name):
        if device.place != server:
            devices.append(replace(device, connected_to=device.connected_to - {server}))
            continue
        to = _least_loaded(placement.hosts, device, server, loads)
        moves.append(Move(device.name, None if to is None else to.name))
        if to is not None:
            loads[server] -= 1
            loads[to.id] += 1
            devices.append(replace(device, place=to.id, connected_to=frozenset()))
    hosts = tuple(
        replace(host, load=Load(loads[host.id], host.load.booting)) for host in placement.hosts
    )
    return Placement(hosts, tuple(devices)), tuple(moves)


def _least_loaded(
    hosts: Iterable[Host], device: PlacedDevice, server: ServerId, loads: dict[ServerId, int]
) -> Host | None:
    free = [
        host
        for host in hosts
        if host.id != server
        and host.is_open
        and host.id in device.may_use
        and (host.max_devices is None or loads[host.id] < host.max_devices)
    ]
    return min(free, key=lambda host: (loads[host.id] / host.rating, host.name), default=None)
