"""A computer over a farm in memory: it signs, registers, and says how its one machine is."""

from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from tests.farm_in_memory import FarmInMemory

from corral.farm.application.register_computer import AskedRegistration, Registered
from corral.farm.application.take_check_in import ToldOrders
from corral.farm.domain.computer.check_in import (
    CheckIn,
    MachineState,
    SeenEngine,
    SeenKit,
    SeenMachine,
)
from corral.farm.domain.computer.computer import ComputerId, computer_name
from corral.farm.domain.computer.orders import MachineOrder
from corral.farm.domain.computer.user import user_name
from corral.farm.domain.image.image import image_name

if TYPE_CHECKING:
    from datetime import datetime

ENGINE = SeenEngine("1.0.0", "x86_64", (1,))


class Laptop:
    """One computer, as its engine would act."""

    def __init__(self, farm: FarmInMemory, name: str = "laptop") -> None:
        self.farm = farm
        self.name = name
        self.key = Ed25519PrivateKey.generate()
        self.id = ComputerId(UUID(int=0))
        self.sequence = 0
        self.told: ToldOrders | None = None
        self.user = ""

    def ask(self, user: str | None = None, code: str | None = None) -> Registered:
        """Ask to be registered."""
        key = self.key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        asked = AskedRegistration(computer_name(self.name), key, ENGINE, code, user)
        message = b"registration"
        answer = self.farm.application.register_computer(asked, message, self.key.sign(message))
        self.id = answer.computer.id
        return answer

    def register(self, user: str, full_name: str = "") -> None:
        """Become the computer of a new user."""
        self.farm.application.add_user(user_name(user), full_name)
        code = self.farm.application.issue_code(user_name(user))
        self.ask(code=code.secret.reveal())
        self.user = user

    def assign(self, image: str, *, staged: bool = False) -> None:
        self.farm.application.assign_image(
            image_name(image), [user_name(self.user)], is_staged=staged
        )

    def check_in(self, *machines: SeenMachine, erased: bool = False) -> ToldOrders:
        """Say how it is, and be told; the farm's clock goes on a little."""
        self.sequence += 1
        self.farm.wait(1)
        now: datetime = self.farm.ports.clock.now()
        said = CheckIn(
            self.id,
            self.sequence,
            now,
            ENGINE,
            SeenKit("1.0.0"),
            machines,
            generation=0 if self.told is None else self.told.generation,
        )
        farm_id = self.farm.application.show_farm().farm.id
        self.told = self.farm.application.take_check_in(farm_id, said, has_erased_itself=erased)
        return self.told

    def says(self, state: MachineState, **facts: object) -> ToldOrders:
        """Hear what should be, and say that every machine is in that state."""
        orders = self.check_in().orders
        return self.check_in(*(seen(one, state, **facts) for one in orders.machines))

    def erase(self) -> ToldOrders:
        """Say that it has erased itself."""
        return self.check_in(erased=True)


def seen(order: MachineOrder, state: MachineState, **facts: object) -> SeenMachine:
    """Say how a machine is, with what it runs as ordered if it is proven."""
    is_proven = state is MachineState.PROVEN
    plain = SeenMachine(
        image=order.image,
        user=order.user,
        mode=order.mode.value,
        state=state,
        wanted=order.root,
        attempt=order.attempt,
        running=order.root if is_proven else None,
        proven=order.root if is_proven else None,
    )
    return replace(plain, **facts)  # type: ignore[arg-type] # each test names fields of it
