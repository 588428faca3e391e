"""An engine as a farm sees it: a key of its own, a number that rises, and what it says."""

import base64
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID

import httpx
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from corral.wire import engine as wire

if TYPE_CHECKING:
    from collections.abc import Mapping

FACTS = wire.EngineFacts(
    release="1.0.0",
    architecture="x86_64",
    image_formats=(1,),
    accelerator=wire.Accelerator.KVM,
    memory_bytes=1 << 34,
    disk_bytes=1 << 40,
    disk_free_bytes=1 << 39,
)


def encoded(value: bytes) -> str:
    return base64.b64encode(value).decode("ascii")


@dataclass
class Engine:
    """Says what a test lets it say, and believes only what the farm has signed."""

    name: str = "laptop"
    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    sequence: int = 0
    farm: wire.RegistrationAnswer | None = None
    orders: wire.Orders | None = None
    machines: tuple[wire.MachineReport, ...] = ()

    @property
    def public_key(self) -> bytes:
        return self.key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    @property
    def id(self) -> UUID:
        assert self.farm is not None, "it has not registered yet"
        return self.farm.computer

    def registration(self, code: str | None = None, user: str | None = None) -> dict[str, str]:
        text = wire.Registration(
            name=self.name,
            public_key=encoded(self.public_key),
            code=code,
            user=user,
            engine=FACTS,
        ).model_dump_json()
        return self.signed("registration", text, wire.registration_message(text))

    def register(
        self, api: httpx.Client, code: str | None = None, user: str | None = None
    ) -> wire.RegistrationAnswer:
        answer = api.post("/v1/computers/register", json=self.registration(code, user))
        answer.raise_for_status()
        self.farm = wire.RegistrationAnswer.model_validate_json(answer.content)
        return self.farm

    def check_in_text(self, **facts: object) -> str:
        """Give what it says next; the number rises with each."""
        self.sequence += 1
        assert self.farm is not None
        in_force = self.orders
        plain: dict[str, object] = {
            "farm": self.farm.farm,
            "computer": self.farm.computer,
            "sequence": self.sequence,
            "sent_at": 1_772_368_215.0,
            "epoch": 0 if in_force is None else in_force.epoch,
            "generation": 0 if in_force is None else in_force.generation,
            "engine": FACTS,
            "kit": wire.KitReport(release="1.0.0"),
            "machines": self.machines,
        }
        return wire.CheckIn.model_validate({**plain, **facts}).model_dump_json()

    def asked(self, api: httpx.Client, text: str, at: UUID | None = None) -> httpx.Response:
        """Send what it says, signed, to the place of a computer."""
        body = self.signed("check_in", text, wire.check_in_message(text))
        return api.post(f"/v1/computers/{at or self.id}/check-in", json=body)

    def check_in(self, api: httpx.Client, **facts: object) -> wire.Orders:
        """Check in, and take the orders as an engine would: never older than those in force."""
        answer = self.asked(api, self.check_in_text(**facts))
        assert answer.is_success, answer.text
        return self.take(wire.SignedOrders.model_validate_json(answer.content))

    def take(self, signed: wire.SignedOrders) -> wire.Orders:
        assert self.farm is not None
        key = Ed25519PublicKey.from_public_bytes(base64.b64decode(self.farm.farm_public_key))
        message = wire.orders_message(signed.orders)
        try:
            key.verify(base64.b64decode(signed.signature), message)
        except InvalidSignature as error:
            raise AssertionError("these orders are not the farm's") from error
        orders = wire.Orders.model_validate_json(signed.orders)
        assert (orders.farm, orders.computer) == (self.farm.farm, self.farm.computer)
        if self.orders is not None:
            before = (self.orders.epoch, self.orders.generation)
            assert (orders.epoch, orders.generation) >= before, "orders went back"
        self.orders = orders
        return orders

    def signed(self, field_name: str, text: str, message: bytes) -> dict[str, str]:
        return {field_name: text, "signature": encoded(self.key.sign(message))}

    def signal(self, api: httpx.Client, generation: int | None = None) -> wire.Signal:
        asked = generation
        if asked is None:
            asked = 0 if self.orders is None else self.orders.generation
        answer = api.get(f"/v1/computers/{self.id}/signal", params={"generation": asked})
        assert answer.is_success, answer.text
        return wire.Signal.model_validate_json(answer.content)


def machine(
    order: wire.MachineOrder, state: wire.MachineState, **facts: object
) -> wire.MachineReport:
    """Say how one ordered machine is."""
    plain: Mapping[str, Any] = {
        "image": order.image,
        "user": order.user,
        "mode": order.mode,
        "wanted": order.root,
        "attempt": order.attempt,
        "state": state,
    }
    return wire.MachineReport.model_validate({**plain, **facts})


def running(order: wire.MachineOrder, **facts: object) -> wire.MachineReport:
    """Say that it runs, and has proved itself."""
    return machine(
        order,
        wire.MachineState.PROVEN,
        is_running=True,
        running=order.root,
        proven=order.root,
        is_healthy=True,
        **facts,
    )
