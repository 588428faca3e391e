"""What people's tools read and change of images: who may start a version, where devices write."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import AwareDatetime, Field

from corral.wire.estate import Revision, Text
from corral.wire.listing import Holder
from corral.wire.login import CacheFallback, WriteCache
from corral.wire.message import Bytes, ExportName, Message, Name, Part, RootHex, UnixSeconds
from corral.wire.overlay import OverlayKind, OverlayState, WritableName

Number = Annotated[int, Field(ge=1)]


class Standing(StrEnum):
    """Who may start a version, and whether it goes towards its end."""

    MAINTENANCE = "maintenance"
    TEST = "test"
    PENDING = "pending"
    PRODUCTION = "production"
    RETIRED = "retired"
    DELETING = "deleting"
    DELETED = "deleted"


class Promoted(StrEnum):
    """For whom a version is from now on."""

    TEST = "test"
    PRODUCTION = "production"


class Reverted(StrEnum):
    """For whom a version still is."""

    TEST = "test"
    MAINTENANCE = "maintenance"


class Sealed(StrEnum):
    """For whom a version is as soon as it is one."""

    MAINTENANCE = "maintenance"
    TEST = "test"
    PRODUCTION = "production"


class ImageMode(StrEnum):
    """How many devices an image is for."""

    SHARED = "shared"
    CUSTOM = "custom"


class CacheSetting(Part):
    """Where devices are to keep what they write."""

    kind: WriteCache
    limit_bytes: Bytes | None = None
    fallback: CacheFallback = CacheFallback.DEVICE_RAM


class NewCacheSetting(CacheSetting, Message):
    """The body of ``PUT /v1/devices/{name}/write-cache``."""


class Lack(Part):
    """A server that must serve a version and lacks some of it."""

    server: Name
    missing_bytes: Bytes
    problem: str
    silent_since: UnixSeconds | None = None
    """None of a server that reports."""


class Excused(Part):
    """A server that lacks some of a version and that its release does not wait for."""

    server: Name
    why: str


class Wait(Part):
    """What a release waits for."""

    reason: str
    until: UnixSeconds | None
    lacking: tuple[Lack, ...]
    not_waited_for: tuple[Excused, ...] = ()


class VersionDetail(Part):
    """A version as it stands now."""

    name: ExportName
    number: Number
    root: RootHex
    size_bytes: Bytes
    standing: Standing
    is_pinned: bool
    waits_for: Wait | None
    published_at: UnixSeconds
    release_at: UnixSeconds | None
    released_at: UnixSeconds | None
    changed_at: UnixSeconds | None
    changed_by: str
    description: str
    guest_tools: str | None = None
    """The release of the guest tools in it, if somebody said."""
    running: tuple[Name, ...]
    """The devices that stream it, as their servers last said."""
    starting: tuple[Name, ...]
    """The devices that would start it now."""
    holders: tuple[Holder, ...]
    revision: Revision


class OverlayItem(Part):
    """What a device writes on a server, and how the server last said that it is."""

    export: WritableName
    kind: OverlayKind
    device: Name
    server: Name
    base: RootHex
    is_sealing: bool
    limit_bytes: Bytes
    created_at: UnixSeconds
    created_by: str
    state: OverlayState | None
    """None until the server has made it."""
    allocated_bytes: Bytes | None
    clients: int | None
    problem: str


class ImageDetail(Part):
    """An image with everything that is known of it."""

    name: Name
    description: str
    mode: ImageMode
    write_cache: CacheSetting
    pinned: Number | None
    only_server: Name | None
    """The one server that its devices may use; None for every server that holds it."""
    devices: int
    republish_needed: bool = False
    """Whether the guest tools in its newest version are older than those in force."""
    newer_guest_tools: str | None = None
    """The guest tools that republishing would put in; none if it is not needed."""
    is_busy: bool
    versions: tuple[VersionDetail, ...]
    overlays: tuple[OverlayItem, ...]
    revision: Revision


class ImageEdit(Message):
    """The body of ``PATCH /v1/images/{name}``; what is not there stays as it is."""

    description: Text | None = None
    mode: ImageMode | None = None
    write_cache: CacheSetting | None = None
    only_server: Name | None = None
    """None, if it is there, for every server that holds it."""


class Pin(Message):
    """The body of ``PUT /v1/images/{name}/pin``."""

    number: Number


class VersionEdit(Message):
    """The body of ``PATCH /v1/images/{name}/versions/{number}``."""

    description: Text


class VersionPromotion(Message):
    """The body of ``POST /v1/images/{name}/versions/{number}/promote``."""

    to: Promoted = Promoted.PRODUCTION
    at: AwareDatetime | None = None
    """Not before this moment. None: as soon as every server that must serve it has it."""


class VersionReversion(Message):
    """The body of ``POST /v1/images/{name}/versions/{number}/revert``."""

    to: Reverted


class HistoryLine(Part):
    """One thing that was done to a version."""

    at: datetime
    by: str
    what: str
    note: str


class History(Message):
    """The answer to ``GET /v1/images/{name}/versions/{number}/history``."""

    changes: tuple[HistoryLine, ...]


class NewMaintenance(Message):
    """The body of ``POST /v1/images/{name}/maintenance``."""

    device: Name
    server: Name | None = None
    limit_bytes: Bytes | None = None


class MaintenancePromotion(Message):
    """The body of ``POST /v1/images/{name}/maintenance/promote``."""

    to: Sealed = Sealed.TEST
    at: AwareDatetime | None = None
    description: Text = ""
    even_if_unchanged: bool = False
    """Also if nothing was written."""


class GivenUp(Message):
    """What devices wrote and servers now remove."""

    overlays: tuple[OverlayItem, ...]


class Republishing(Message):
    """The body of ``POST /v1/republishing``."""

    images: Annotated[tuple[Name, ...], Field(max_length=1000)] = ()
    """All that are marked, if none is named."""
    to: Sealed = Sealed.TEST
    """Who may start the new versions."""


class RepublishProblem(Part):
    """Why an image cannot be republished now."""

    code: str
    """One of the reference of errors."""
    message: str


class ImageToRepublish(Part):
    """An image that is marked "republish needed"."""

    image: Name
    version: ExportName
    """The one that the next is built on."""
    guest_tools: str
    """Those in it."""
    newer_guest_tools: str
    """Those in force."""
    problem: RepublishProblem | None = None
    """Why it cannot be republished now."""
    task: int | None = None
    """What republishes it; none if nobody asked for that."""


class ImagesToRepublish(Message):
    """The answer to ``GET /v1/republishing`` and to ``POST /v1/republishing``."""

    images: tuple[ImageToRepublish, ...]
