"""The engine's values as messages on the wire, and back."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from corral.engine.adapters.identity import is_root_signed, is_signed
from corral.engine.application.ports import FarmPlace, GivenOrders
from corral.engine.domain.machine.record import MachineKey, Mode, Policy, Version
from corral.engine.domain.machine.seen import MachineOrder
from corral.engine.domain.orders import KitOrder, Orders, Source, Standing, Window
from corral.wire import engine as wire

if TYPE_CHECKING:
    from corral.engine.application.ports import AskedRegistration, Facts, Status
    from corral.engine.domain.machine.record import Machine
    from corral.engine.domain.machine.seen import Seen
    from corral.engine.domain.report import Report

_MAXIMUM_TEXT = 1024
_MAXIMUM_EVENTS = 256


def read_orders(signed: wire.SignedOrders, farm_public_key: str) -> GivenOrders:
    """Read orders; raises ``ValidationError``.

    A machine whose root the farm did not sign is not among them: nothing of it is ever fetched.
    """
    key = base64.b64decode(farm_public_key)
    message = wire.orders_message(signed.orders)
    are_signed = is_signed(key, message, base64.b64decode(signed.signature))
    given = wire.Orders.model_validate_json(signed.orders)
    orders = Orders(
        farm=given.farm,
        computer=given.computer,
        epoch=given.epoch,
        generation=given.generation,
        standing=Standing(given.state),
        erases=given.erases,
        api_urls=given.api_urls,
        certificate_authority=given.certificate_authority,
        machines={
            MachineKey(one.image, one.user): (Mode(one.mode), _machine_order(one))
            for one in given.machines
            if is_root_signed(key, one.root, base64.b64decode(one.signature))
        },
        kit=_kit(given.kit, key),
        sources=tuple(Source(one.server, one.url, frozenset(one.has)) for one in given.sources),
        tickets={one.root: one.ticket for one in given.tickets},
        not_yet=frozenset(given.not_yet),
        rate=given.rate,
        windows=tuple(map(_window, given.windows)),
        check_in_seconds=given.check_in_seconds,
    )
    return GivenOrders(orders, signed.orders, signed.signature, is_signed=are_signed)


def _machine_order(one: wire.MachineOrder) -> MachineOrder:
    policy = one.policy
    return MachineOrder(
        version=Version(
            one.version,
            one.root,
            one.size_bytes,
            one.attempt,
            one.image_format,
            one.guest_tools,
        ),
        policy=Policy(
            memory_mib=policy.memory_mib,
            processors=policy.processors,
            user_disk_bytes=policy.user_disk_bytes,
            prove_within_seconds=policy.prove_within_seconds,
            soak_seconds=policy.soak_seconds,
            postpone_seconds=policy.postpone_seconds,
            starts_itself=policy.starts_itself,
        ),
        is_staged=one.is_staged,
        is_disabled=one.is_disabled,
        is_paused=one.is_paused,
    )


def _kit(kit: wire.KitOrder | None, key: bytes) -> KitOrder | None:
    if kit is None or not is_root_signed(key, kit.root, base64.b64decode(kit.signature)):
        return None
    return KitOrder(kit.kit, kit.release, kit.root, kit.size_bytes, kit.attempt)


def _window(window: wire.Rate) -> Window:
    begins, _, ends = window.between.partition("-")
    return Window(_minute(begins), _minute(ends), window.rate)


def _minute(time_of_day: str) -> int:
    hours, _, minutes = time_of_day.partition(":")
    return int(hours) * 60 + int(minutes)


def place_of(answer: wire.RegistrationAnswer, asked: AskedRegistration) -> FarmPlace:
    """Give the farm that answered a registration."""
    return FarmPlace(
        farm=answer.farm,
        farm_name=answer.farm_name,
        farm_public_key=answer.farm_public_key,
        computer=answer.computer,
        computer_name=answer.name,
        standing=Standing(answer.state),
        # A farm that does not say where it is, is where it answered.
        api_urls=answer.api_urls or (asked.url,),
        certificate_authority=answer.certificate_authority or asked.authority,
    )


def engine_facts(facts: Facts) -> wire.EngineFacts:
    """Say what this engine is."""
    accelerator = wire.Accelerator.KVM if facts.has_kvm else wire.Accelerator.EMULATION
    return wire.EngineFacts(
        release=facts.release,
        architecture=facts.architecture,
        image_formats=facts.image_formats,
        guest_tools=facts.guest_tools,
        accelerator=accelerator,
        memory_bytes=facts.memory_bytes,
        disk_bytes=facts.disk_bytes,
        disk_free_bytes=facts.disk_free_bytes,
    )


def check_in(
    place: FarmPlace, status: Status, sequence: int, sent_at: float, *, erased: bool = False
) -> wire.CheckIn:
    """Say how everything is."""
    orders = status.orders
    return wire.CheckIn(
        farm=place.farm,
        computer=place.computer,
        sequence=sequence,
        sent_at=sent_at,
        epoch=0 if orders is None else orders.epoch,
        generation=0 if orders is None else orders.generation,
        engine=engine_facts(status.facts),
        kit=_kit_report(status),
        machines=tuple(
            _machine_report(one, seen, said, sent_at) for one, seen, said in status.machines
        ),
        events=tuple(
            wire.EngineEvent(
                number=entry.number,
                at=max(entry.at, 0),
                severity=wire.Severity(entry.notice.severity),
                code=entry.notice.code,
                text=entry.notice.text[:_MAXIMUM_TEXT],
                image=entry.notice.image,
            )
            for entry in status.events[:_MAXIMUM_EVENTS]
        ),
        erased=erased,
    )


def _kit_report(status: Status) -> wire.KitReport:
    said = status.kit
    if said is None:
        return wire.KitReport(release=status.facts.release)
    transfer = said.transfer
    return wire.KitReport(
        state=wire.KitState(said.state),
        release=said.release,
        running=said.running,
        wanted=said.wanted,
        attempt=said.attempt,
        done_bytes=0 if transfer is None else transfer.done_bytes,
        total_bytes=0 if transfer is None else transfer.total_bytes,
        code=said.code,
        problem=said.problem[:_MAXIMUM_TEXT],
    )


def _machine_report(
    machine: Machine, seen: Seen, said: Report, sent_at: float
) -> wire.MachineReport:
    transfer, restart_in = said.transfer, said.restart_in
    return wire.MachineReport(
        image=machine.key.image,
        user=machine.key.user,
        mode=wire.MachineMode(machine.mode),
        wanted=said.wanted,
        attempt=said.attempt,
        state=wire.MachineState(said.state),
        done_bytes=0 if transfer is None else transfer.done_bytes,
        total_bytes=0 if transfer is None else transfer.total_bytes,
        rate=0 if transfer is None else transfer.rate,
        code=said.code,
        problem=said.problem[:_MAXIMUM_TEXT],
        is_running=said.is_running,
        running=said.running,
        started_at=machine.last_started_at if said.is_running else None,
        proven=None if machine.proven is None else machine.proven.root,
        guest_tools=said.guest_tools,
        needs_tools_by_hand=said.needs_tools_by_hand,
        is_healthy=seen.is_healthy if said.is_running else None,
        starts=machine.starts,
        boot_milliseconds=machine.boot_milliseconds,
        postponed_until=None if restart_in is None else int(sent_at + max(restart_in, 0.0)),
    )
