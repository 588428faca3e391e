"""What people's tools read and change of the estate: sites, collections, stores, servers, devices.

In an edit, a field that is not there stays as it is; one that is null is cleared, where it can be.
"""

from typing import Annotated
from uuid import UUID

from pydantic import Field

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

Text = Annotated[str, Field(max_length=4096)]
Revision = Annotated[int, Field(ge=1)]
"""Goes up with each change; it is also the ETag, which a change names in ``If-Match``."""


class Listed(Message):
    """A page of a list."""

    total: int
    """How many there are on all pages."""
    next: str | None
    """What ``after`` has to be for the next page; none if this is the last."""


class SiteItem(Part):
    """A place whose servers and devices are near to each other."""

    id: UUID
    name: Name
    description: str
    subnets: tuple[str, ...]
    servers: int
    collections: int
    devices: int
    revision: Revision


class SiteList(Listed):
    """The answer to ``GET /v1/sites``."""

    sites: tuple[SiteItem, ...]


class NewSite(Message):
    """The body of ``POST /v1/sites``."""

    name: Name
    description: Text = ""
    subnets: tuple[str, ...] = ()


class SiteEdit(Message):
    """The body of ``PATCH /v1/sites/NAME``."""

    name: Name = ""
    description: Text = ""
    subnets: tuple[str, ...] = ()


class CollectionItem(Part):
    """Devices of one site that are administered together."""

    id: UUID
    name: Name
    site: Name
    description: str
    devices: int
    revision: Revision


class CollectionList(Listed):
    """The answer to ``GET /v1/collections``."""

    collections: tuple[CollectionItem, ...]


class NewCollection(Message):
    """The body of ``POST /v1/collections``; without a site it goes to the farm's first."""

    name: Name
    site: Name | None = None
    description: Text = ""


class CollectionEdit(Message):
    """The body of ``PATCH /v1/collections/NAME``; another site moves all of its devices."""

    name: Name = ""
    site: Name = ""
    description: Text = ""


class StoreKeeper(Part):
    """A server that keeps a store, and where."""

    server: Name
    path: str
    folder: UUID
    """As written in the folder: servers that share one have the same."""


class StoreItem(Part):
    """What several servers keep chunks of."""

    id: UUID
    name: Name
    description: str
    default_path: str | None
    shared: bool
    servers: tuple[StoreKeeper, ...]
    revision: Revision


class StoreList(Listed):
    """The answer to ``GET /v1/stores``."""

    stores: tuple[StoreItem, ...]


class NewStore(Message):
    """The body of ``POST /v1/stores``."""

    name: Name
    description: Text = ""
    default_path: Text | None = None
    shared: bool = False


class StoreEdit(Message):
    """The body of ``PATCH /v1/stores/NAME``."""

    name: Name = ""
    description: Text = ""
    default_path: Text | None = None
    shared: bool = False


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

    id: UUID
    name: Name
    site: Name
    store: Name
    store_path: str
    state: str
    draining: bool
    maintenance: bool
    description: str
    addresses: tuple[Address, ...]
    management: Address | None
    chunk_url: HttpUrl
    power_rating: float
    max_devices: int | None
    max_devices_booting: int | None
    subnets: tuple[str, ...]
    sessions: int | None
    """As last reported; none before the first report."""
    reported_at: UnixSeconds | None
    store_free_bytes: Bytes | None
    counters: dict[str, int]
    versions: tuple[HeldVersion, ...]
    revision: Revision


class ServerList(Listed):
    """The answer to ``GET /v1/servers``."""

    servers: tuple[ServerItem, ...]


class NewServer(Message):
    """The body of ``POST /v1/servers``; what is not advertised apart is advertised as it listens.

    Without a site or a store it goes to those that the farm began with.
    """

    name: Name
    folder: Text | None = None
    """Of its chunks, absolute; without it the default one of its store."""
    listen: Annotated[tuple[Address, ...], Field(min_length=1)]
    chunks: Address
    advertised: tuple[Address, ...] = ()
    chunks_advertised: Address | None = None
    store: Name | None = None
    site: Name | None = None
    description: Text = ""
    management: Address | None = None
    power_rating: float = 1
    max_devices: int | None = None
    max_devices_booting: int | None = None
    subnets: tuple[str, ...] = ()


class ServerEdit(Message):
    """The body of ``PATCH /v1/servers/NAME``."""

    site: Name = ""
    store: Name = ""
    description: Text = ""
    addresses: tuple[Address, ...] = ()
    """None means as it listens."""
    chunks: Address = ""
    management: Address | None = None
    power_rating: float = 1
    max_devices: int | None = None
    max_devices_booting: int | None = None
    maintenance: bool = False
    subnets: tuple[str, ...] = ()


class AddedServer(Message):
    """The answer to ``POST /v1/servers``."""

    server: ServerItem
    file: str
    """On the API's machine: what the stream process starts from, with its token."""


class DeviceItem(Part):
    """A device of the farm. Its key is known to nobody but the device."""

    id: UUID
    name: Name
    mac: str
    collection: Name
    site: Name
    type: str
    disabled: bool
    description: str
    image: Name | None
    version: ExportName | None
    """What it would start from now."""
    registered_at: UnixSeconds
    last_login_at: UnixSeconds | None
    revision: Revision


class DeviceList(Listed):
    """The answer to ``GET /v1/devices``."""

    devices: tuple[DeviceItem, ...]


class NewDevice(Message):
    """The body of ``POST /v1/devices``; without a collection it goes to the farm's first."""

    name: Name
    mac: str
    image: Name | None = None
    collection: Name | None = None
    type: str = "production"
    description: Text = ""


class DeviceKey(Part):
    """A device's key: told once, to whoever registered it, and never again."""

    name: Name
    key: str


class RegisteredDevice(Message):
    """The answer to ``POST /v1/devices``."""

    device: DeviceItem
    key: str


class DeviceEdit(Message):
    """The body of ``PATCH /v1/devices/NAME``; its name stays, because it logs in under it."""

    mac: str = ""
    collection: Name = ""
    type: str = ""
    disabled: bool = False
    description: Text = ""


class DeviceTable(Message):
    """The body of ``POST /v1/devices/import``."""

    table: Annotated[str, Field(max_length=2 * 1024 * 1024)]
    """CSV, whose first line names the columns."""
    dry_run: bool = False


class BadLine(Part):
    """A line of a table that says no device."""

    line: int
    name: str
    code: str
    message: str


class ImportedDevices(Message):
    """The answer to ``POST /v1/devices/import``: every device of the table, or none."""

    lines: int
    registered: tuple[DeviceKey, ...]
    bad: tuple[BadLine, ...]


class VersionItem(Part):
    """A version, in a list of all."""

    name: ExportName
    image: Name
    number: int
    root: RootHex
    size_bytes: Bytes
    access: str
    state: str
    published_at: UnixSeconds
    description: str


class VersionList(Listed):
    """The answer to ``GET /v1/versions``."""

    versions: tuple[VersionItem, ...]


class ReplicaItem(Part):
    """What one server holds, or should hold, of one version."""

    version: ExportName
    root: RootHex
    server: Name
    site: Name
    state: ReplicaState
    done_bytes: Bytes
    total_bytes: Bytes
    fetched_bytes: Bytes
    problem: str


class ReplicaList(Listed):
    """The answer to ``GET /v1/replicas``."""

    replicas: tuple[ReplicaItem, ...]
