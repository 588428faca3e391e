"""What a person's tools read from the API: the farm, what it has, who streams what."""

from uuid import UUID

from corral.wire.estate import Listed
from corral.wire.message import (
    Bytes,
    ExportName,
    Message,
    Name,
    Part,
    RootHex,
    Seconds,
    StreamName,
    UnixSeconds,
)
from corral.wire.server import ReplicaState


class Health(Message):
    """The answer to ``GET /v1/health``: the process is up."""

    release: str
    farm: UUID
    generation: int
    is_database_away: bool = False
    """If so, nothing can be changed, and devices are answered from a snapshot of the farm."""
    logins_taken_at: UnixSeconds | None = None
    """When that snapshot was taken, as long as the database is away; none if there is none."""
    logins_age_seconds: Seconds | None = None
    """How long ago that was."""


class Holder(Part):
    """A server that holds, or fetches, a version."""

    server: Name
    state: ReplicaState
    done_bytes: Bytes
    total_bytes: Bytes


class VersionItem(Part):
    """A version of an image."""

    name: ExportName
    number: int
    root: RootHex
    size_bytes: Bytes
    access: str
    state: str
    published_at: UnixSeconds
    description: str
    holders: tuple[Holder, ...]


class ImageItem(Part):
    """An image with its versions."""

    name: Name
    description: str
    devices: int
    republish_needed: bool = False
    """Whether the guest tools in its newest version are older than those in force."""
    newer_guest_tools: str | None = None
    """The guest tools that republishing would put in; none if it is not needed."""
    versions: tuple[VersionItem, ...]


class ImageList(Listed):
    """The answer to ``GET /v1/images``."""

    images: tuple[ImageItem, ...]


class SessionItem(Part):
    """A connection, as its server last reported it."""

    server: Name
    server_state: str
    device: Name | None
    export: StreamName
    address: str
    connected_at: UnixSeconds
    sent_bytes: Bytes


class SessionList(Listed):
    """The answer to ``GET /v1/sessions``: who streams what."""

    generation: int
    sessions: tuple[SessionItem, ...]
