"""Computers, users and what they said, as tests of rules want them."""

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from tests.contract.things import NOW, image, later, root, version

from corral.farm.domain.computer.assignment import AssignmentId, ImageAssignment
from corral.farm.domain.computer.check_in import (
    CheckIn,
    MachineState,
    SeenEngine,
    SeenKit,
    SeenMachine,
)
from corral.farm.domain.computer.computer import Computer, ComputerId, computer_name
from corral.farm.domain.computer.plan import Assigned
from corral.farm.domain.computer.policy import MachinePolicy
from corral.farm.domain.computer.state import ComputerState
from corral.farm.domain.computer.user import (
    User,
    UserGroup,
    UserGroupId,
    UserId,
    user_group_name,
    user_name,
)
from corral.farm.domain.image.image import Image
from corral.farm.domain.image.root import RootHash
from corral.farm.domain.image.version import Access, Version

DEBIAN, FEDORA = image("debian", 1), image("fedora", 2)


def user(name: str, number: int) -> User:
    return User(UserId(UUID(int=900 + number)), user_name(name), NOW, name.title())


ROGER, BERTHA = user("rboston", 1), user("bsmith", 2)


def group(name: str, number: int, *members: User) -> UserGroup:
    ids = frozenset(member.id for member in members)
    return UserGroup(UserGroupId(UUID(int=950 + number)), user_group_name(name), "", ids)


def assigned_to(
    holder: User | UserGroup, of: Image = DEBIAN, *, number: int = 1, staged: bool = False
) -> ImageAssignment:
    return ImageAssignment(AssignmentId(UUID(int=970 + number)), of.id, holder.id, NOW, staged)


def computer(name: str = "laptop", number: int = 1, *users: User) -> Computer:
    return Computer(
        id=ComputerId(UUID(int=980 + number)),
        name=computer_name(name),
        public_key=number.to_bytes(32, "big"),
        state=ComputerState.REGISTERED,
        asked_at=NOW,
        users=frozenset(one.id for one in users),
        registered_at=NOW,
    )


def released(of: Image, number: int, root_number: int) -> Version:
    return replace(version(of, number, root_number), released_at=NOW)


def in_test(of: Image, number: int, root_number: int) -> Version:
    return replace(version(of, number, root_number), access=Access.TEST)


V1, V2, V3 = released(DEBIAN, 1, 1), released(DEBIAN, 2, 2), in_test(DEBIAN, 3, 3)


def known(
    *assignments: ImageAssignment,
    users: tuple[User, ...] = (ROGER, BERTHA),
    groups: tuple[UserGroup, ...] = (),
    images: tuple[Image, ...] = (DEBIAN, FEDORA),
    versions: tuple[Version, ...] = (V1, V2, V3),
    policy: MachinePolicy | None = None,
) -> Assigned:
    return Assigned(
        users={one.id: one for one in users},
        groups=groups,
        assignments=assignments,
        images={one.id: one for one in images},
        versions={one.id: [v for v in versions if v.image_id == one.id] for one in images},
        policies={} if policy is None else {DEBIAN.id: policy},
    )


def machine(
    wanted: int | None = 2,
    runs: int | None = 1,
    state: MachineState = MachineState.DOWNLOADING,
    *,
    user_of: User = ROGER,
    attempt: int = 0,
    **facts: object,
) -> SeenMachine:
    plain = SeenMachine(
        image=DEBIAN.name,
        user=user_of.name,
        mode="shared",
        state=state,
        wanted=None if wanted is None else root(wanted),
        attempt=attempt,
        running=None if runs is None else root(runs),
    )
    return replace(plain, **facts)  # type: ignore[arg-type] # each test names fields of it


def said(
    *machines: SeenMachine, by: Computer | None = None, at: datetime | None = None, **facts: object
) -> CheckIn:
    plain = CheckIn(
        computer_id=(by or computer()).id,
        sequence=1,
        at=at or later(60),
        engine=SeenEngine("1.0.0", "x86_64", (1,)),
        kit=SeenKit("1.0.0"),
        machines=machines,
    )
    return replace(plain, **facts)  # type: ignore[arg-type]


def roots(*numbers: int) -> tuple[RootHash, ...]:
    return tuple(map(root, numbers))
