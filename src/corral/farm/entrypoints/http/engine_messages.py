"""What engines say and are told, between the wire and the domain."""

import base64
from datetime import UTC, datetime
from typing import Final, TypeVar

from pydantic import ValidationError

from corral.farm.application.ports.farm_key import FarmKey
from corral.farm.application.register_computer import AskedRegistration, Registered
from corral.farm.application.take_check_in import ToldOrders
from corral.farm.domain.computer.check_in import (
    CheckIn,
    ComputerNews,
    KitState,
    MachineState,
    SeenEngine,
    SeenKit,
    SeenMachine,
    Severity,
)
from corral.farm.domain.computer.computer import ComputerId, computer_name
from corral.farm.domain.computer.errors import CheckInInvalidError
from corral.farm.domain.computer.orders import KitOrder, MachineOrder, Orders
from corral.farm.domain.computer.policy import MachinePolicy
from corral.farm.domain.image.root import RootHash
from corral.wire import engine as wire
from corral.wire.message import Message

_SIGNED = TypeVar("_SIGNED", bound=Message)
_LONG_AGO: Final = datetime.fromtimestamp(0, UTC)
"""What no clock could say."""


def read(kind: type[_SIGNED], text: str) -> _SIGNED:
    """Read what was signed; raises ``CheckInInvalidError`` that names places and no values."""
    try:
        return kind.model_validate_json(text)
    except ValidationError as error:
        found = error.errors(include_input=False, include_url=False)
        where = "; ".join(f"{'/'.join(map(str, one['loc']))}: {one['msg']}" for one in found[:5])
        raise CheckInInvalidError(where) from None


def decoded(text: str) -> bytes:
    """Read base64 that the message's own rule has checked."""
    return base64.b64decode(text)


def asked(message: wire.Registration, address: str) -> AskedRegistration:
    """Take a registration."""
    return AskedRegistration(
        name=computer_name(message.name),
        public_key=decoded(message.public_key),
        engine=_seen_engine(message.engine),
        code=message.code,
        user=None if message.user is None else _plain(message.user),
        address=address,
    )


def registered(of: Registered) -> wire.RegistrationAnswer:
    """Answer a registration."""
    return wire.RegistrationAnswer(
        computer=of.computer.id,
        name=of.computer.name,
        state=wire.ComputerState(of.computer.state.value),
        farm=of.farm.id,
        farm_name=of.farm.name,
        farm_public_key=encoded(of.farm.public_key),
        api_urls=of.farm.api_urls,
        certificate_authority=of.certificate_authority,
    )


def said(message: wire.CheckIn, address: str) -> CheckIn:
    """Take a check-in, with the time by the computer's own clock."""
    return CheckIn(
        computer_id=ComputerId(message.computer),
        sequence=message.sequence,
        at=_moment(message.sent_at) or _LONG_AGO,
        engine=_seen_engine(message.engine),
        kit=SeenKit(
            release=_plain(message.kit.release),
            state=KitState(message.kit.state.value),
            wanted=None if message.kit.wanted is None else _plain(message.kit.wanted),
            attempt=message.kit.attempt,
            done_bytes=message.kit.done_bytes,
            total_bytes=message.kit.total_bytes,
            code=_plain(message.kit.code),
            problem=_plain(message.kit.problem),
            running=message.kit.running,
        ),
        machines=tuple(map(_seen_machine, message.machines)),
        epoch=message.epoch,
        generation=message.generation,
        address=address,
    )


def news(message: wire.CheckIn) -> tuple[ComputerNews, ...]:
    """Take what happened since."""
    return tuple(
        ComputerNews(
            number=one.number,
            at=_moment(one.at) or _LONG_AGO,
            severity=Severity(one.severity.value),
            code=_plain(one.code),
            text=_plain(one.text),
            image=None if one.image is None else _plain(one.image),
        )
        for one in message.events
    )


def signed_orders(told: ToldOrders, key: FarmKey) -> wire.SignedOrders:
    """Give the orders as they are sent, and kept on computers and relays."""
    text = _orders(told).model_dump_json()
    signature = encoded(key.sign(wire.orders_message(text)))
    return wire.SignedOrders(orders=text, signature=signature)


def engine(of: SeenEngine) -> wire.EngineFacts:
    """Show what an engine is."""
    return wire.EngineFacts(
        release=of.release,
        architecture=of.architecture,
        image_formats=of.image_formats,
        guest_tools=of.guest_tools,
        accelerator=wire.Accelerator(of.accelerator),
        memory_bytes=of.memory_bytes,
        disk_bytes=of.disk_bytes,
        disk_free_bytes=of.disk_free_bytes,
    )


def kit(of: SeenKit) -> wire.KitReport:
    """Show how the engine's own releases stand."""
    return wire.KitReport(
        state=wire.KitState(of.state.value),
        release=of.release,
        wanted=of.wanted,
        attempt=of.attempt,
        done_bytes=of.done_bytes,
        total_bytes=of.total_bytes,
        code=of.code,
        problem=of.problem,
        running=of.running,
    )


def seconds(moment: datetime | None) -> int | None:
    """Give a moment as it is sent."""
    return None if moment is None else int(moment.timestamp())


def _orders(told: ToldOrders) -> wire.Orders:
    orders: Orders = told.orders
    return wire.Orders(
        farm=told.farm.id,
        computer=orders.computer_id,
        epoch=told.epoch,
        generation=told.generation,
        issued_at=int(told.issued_at.timestamp()),
        state=wire.ComputerState(orders.state.value),
        erases=orders.erases,
        api_urls=orders.api_urls,
        certificate_authority=orders.certificate_authority,
        machines=tuple(map(_machine_order, orders.machines)),
        kit=None if orders.kit is None else _kit_order(orders.kit),
        sources=tuple(
            wire.Source(server=one.server, url=one.url, has=tuple(root.hex for root in one.has))
            for one in orders.sources
        ),
        tickets=tuple(
            wire.RootTicket(root=one.root.hex, ticket=one.ticket) for one in told.tickets
        ),
        not_yet=tuple(root.hex for root in orders.not_yet),
        not_yet_until=seconds(orders.not_yet_until),
        rate=orders.bandwidth.rate,
        windows=tuple(
            wire.Rate(between=str(one), rate=one.rate) for one in orders.bandwidth.windows
        ),
        check_in_seconds=int(orders.check_in_every.total_seconds()),
    )


def _machine_order(of: MachineOrder) -> wire.MachineOrder:
    return wire.MachineOrder(
        image=of.image,
        user=of.user,
        mode=wire.MachineMode(of.mode.value),
        version=str(of.version),
        root=of.root.hex,
        signature=encoded(of.signature),
        size_bytes=of.size_bytes,
        image_format=of.image_format,
        guest_tools=of.guest_tools,
        is_staged=of.is_staged,
        attempt=of.attempt,
        is_disabled=of.policy.is_disabled,
        is_paused=of.is_paused,
        policy=_policy(of.policy),
    )


def _policy(of: MachinePolicy) -> wire.MachinePolicy:
    return wire.MachinePolicy(
        memory_mib=of.memory_mib,
        processors=of.processors,
        user_disk_bytes=of.user_disk_bytes,
        prove_within_seconds=of.prove_within_seconds,
        soak_seconds=of.soak_seconds,
        postpone_seconds=of.postpone_seconds,
        starts_itself=of.starts_itself,
    )


def _kit_order(of: KitOrder) -> wire.KitOrder:
    return wire.KitOrder(
        kit=of.kit,
        release=of.release,
        root=of.root.hex,
        signature=encoded(of.signature),
        size_bytes=of.size_bytes,
        attempt=of.attempt,
    )


def _seen_engine(message: wire.EngineFacts) -> SeenEngine:
    return SeenEngine(
        release=_plain(message.release),
        architecture=_plain(message.architecture),
        image_formats=message.image_formats,
        guest_tools=None if message.guest_tools is None else _plain(message.guest_tools),
        accelerator=message.accelerator.value,
        memory_bytes=message.memory_bytes,
        disk_bytes=message.disk_bytes,
        disk_free_bytes=message.disk_free_bytes,
    )


def _seen_machine(message: wire.MachineReport) -> SeenMachine:
    return SeenMachine(
        image=_plain(message.image),
        user=_plain(message.user),
        mode=message.mode.value,
        state=MachineState(message.state.value),
        wanted=_root(message.wanted),
        attempt=message.attempt,
        done_bytes=message.done_bytes,
        total_bytes=message.total_bytes,
        rate=message.rate,
        code=_plain(message.code),
        problem=_plain(message.problem),
        is_running=message.is_running,
        running=_root(message.running),
        started_at=_moment(message.started_at),
        proven=_root(message.proven),
        guest_tools=None if message.guest_tools is None else _plain(message.guest_tools),
        needs_tools_by_hand=message.needs_tools_by_hand,
        is_healthy=message.is_healthy,
        starts=message.starts,
        boot_milliseconds=message.boot_milliseconds,
        postponed_until=_moment(message.postponed_until),
    )


def _plain(text: str) -> str:
    """Give text that every database can keep: PostgreSQL knows no NUL."""
    return text.replace("\x00", "\ufffd")


def _root(text: str | None) -> RootHash | None:
    return None if text is None else RootHash(text)


def _moment(at: float | None) -> datetime | None:
    """Read a computer's clock, however wrong it is."""
    try:
        return None if at is None else datetime.fromtimestamp(at, UTC)
    except (OverflowError, ValueError, OSError):
        return None


def encoded(value: bytes) -> str:
    """Write bytes as base64."""
    return base64.b64encode(value).decode("ascii")
