"""What a person's tools read from the API: the farm, what it has, who streams what."""

from uuid import UUID

from corral.wire.message import (
    Address,
    Bytes,
    ExportName,
    HttpUrl,
    Message,
    Name,
    Part,
    RootHex,
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


class HeldVersion(Part):
    """A version that a server should hold, and how far it is."""

    version: ExportName
    root: RootHex
    state: ReplicaState
    done_bytes: Bytes
    total_bytes: Bytes
    fetched_bytes: Bytes
    problem: str


class ServerItem(Part):
    """A server of the farm."""

    name: Name
    state: str
    draining: bool
    addresses: tuple[Address, ...]
    chunk_url: HttpUrl
    sessions: int | None
    """As last reported; none before the first report."""
    reported_at: UnixSeconds | None
    store_free_bytes: Bytes | None
    counters: dict[str, int]
    versions: tuple[HeldVersion, ...]


class ServerList(Message):
    """The answer to ``GET /v1/servers``."""

    servers: tuple[ServerItem, ...]


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
    versions: tuple[VersionItem, ...]


class ImageList(Message):
    """The answer to ``GET /v1/images``."""

    images: tuple[ImageItem, ...]


class DeviceItem(Part):
    """A device of the farm. Its key is known to nobody but the device."""

    name: Name
    mac: str
    image: Name | None
    version: ExportName | None
    """What it would start from now."""
    last_login_at: UnixSeconds | None


class DeviceList(Message):
    """The answer to ``GET /v1/devices``."""

    devices: tuple[DeviceItem, ...]


class SessionItem(Part):
    """A connection, as its server last reported it."""

    server: Name
    server_state: str
    device: Name | None
    export: ExportName
    address: str
    connected_at: UnixSeconds
    sent_bytes: Bytes


class SessionList(Message):
    """The answer to ``GET /v1/sessions``: who streams what."""

    generation: int
    sessions: tuple[SessionItem, ...]
