"""What people's tools say and hear about users, user groups, and the images that they have."""

from typing import Annotated

from pydantic import Field

from corral.wire.estate import Listed, Revision, Text
from corral.wire.message import Bytes, Message, Name, Part, RootHex, UnixSeconds

FullName = Annotated[str, Field(max_length=200)]
Several = Annotated[tuple[Name, ...], Field(max_length=10_000)]


class UserItem(Message):
    """A person whom images are assigned to."""

    name: Name
    full_name: str
    description: str
    created_at: UnixSeconds
    groups: tuple[Name, ...]
    computers: tuple[Name, ...]
    """Those that the caller may see."""
    images: tuple[Name, ...]
    revision: Revision


class UserList(Listed):
    """The answer to ``GET /v1/users``."""

    users: tuple[UserItem, ...]


class NewUser(Message):
    """The body of ``POST /v1/users``."""

    name: Name
    full_name: FullName = ""
    description: Text = ""


class UserEdit(Message):
    """The body of ``PATCH /v1/users/{name}``; what is left out stays."""

    full_name: FullName = ""
    description: Text = ""


class UserGroupItem(Message):
    """Users whom images are assigned to together."""

    name: Name
    description: str
    members: tuple[Name, ...]
    images: tuple[Name, ...]
    revision: Revision


class UserGroupList(Listed):
    """The answer to ``GET /v1/user-groups``."""

    groups: tuple[UserGroupItem, ...]


class NewUserGroup(Message):
    """The body of ``POST /v1/user-groups``."""

    name: Name
    members: Several = ()
    description: Text = ""


class UserGroupEdit(Message):
    """The body of ``PATCH /v1/user-groups/{name}``; what is left out stays."""

    add: Several = ()
    remove: Several = ()
    description: Text | None = None


class Assignees(Message):
    """The body of ``POST /v1/images/{name}/unassign``."""

    users: Several = ()
    groups: Several = ()


class NewAssignees(Assignees):
    """The body of ``POST /v1/images/{name}/assign``."""

    staged: bool = False
    """The newest version in test, rather than what is released."""


class Difference(Part):
    """Why what runs is not what is assigned."""

    why: str
    """One of a closed list; ``docs/reference/computers.md`` has it."""
    since: UnixSeconds | None
    """When the computer was last heard of; none if never."""
    until: UnixSeconds | None
    """When the wait is expected to end, if that is known."""
    done_bytes: Bytes
    total_bytes: Bytes
    percent: int | None
    rate: Bytes
    code: str
    text: str


class MachineItem(Part):
    """What a user has of an image on one of their computers, or on none."""

    image: Name
    user: Name
    full_name: str
    computer: Name | None
    mode: str
    assigned: bool
    """Whether the user has the image; if not, the computer has not heard of that yet."""
    staged: bool
    by_groups: tuple[Name, ...]
    """User groups by which they have it."""
    running_version: str | None
    """What ran there at the last check-in, or was last running."""
    running_root: RootHex | None
    assigned_version: str | None
    ordered_version: str | None
    """What the computer is told to have: another where the assigned one must not be given."""
    state: str | None
    """How far the computer says that it is."""
    is_running: bool
    difference: Difference | None


class ImageUserItem(Part):
    """A user beside an image: the columns Assign, Staged, Name, Full Name, Running and Assigned."""

    name: Name
    full_name: str
    assign: bool
    staged: bool
    by_groups: tuple[Name, ...]
    running_versions: tuple[str, ...]
    """One, unless several computers of theirs differ; none if they have none."""
    assigned_versions: tuple[str, ...]
    machines: tuple[MachineItem, ...]


class ImageUserList(Listed):
    """The answer to ``GET /v1/images/{name}/users``."""

    image: Name
    users: tuple[ImageUserItem, ...]


class MachineList(Listed):
    """The answer to ``GET /v1/users/{name}/images`` and ``GET /v1/computers/{name}/images``."""

    machines: tuple[MachineItem, ...]


class MachinePolicyItem(Message):
    """How machines of an image are run on computers."""

    image: Name
    memory_mib: int
    processors: int
    user_disk_bytes: Bytes
    prove_within_seconds: int
    soak_seconds: int
    postpone_seconds: int
    starts_itself: bool
    disabled: bool
    revision: Revision


class MachinePolicyEdit(Message):
    """The body of ``PATCH /v1/images/{name}/machine``; what is left out stays."""

    memory_mib: int = 0
    processors: int = 0
    user_disk_bytes: int = 0
    prove_within_seconds: int = 0
    soak_seconds: int = 0
    postpone_seconds: int = 0
    starts_itself: bool = False
    disabled: bool = False
