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
from corral.wire.server import ReleasesReport, ReplicaState, ScrubReport, ServerFile

Text = Annotated[str, Field(max_length=4096)]
Revision = Annotated[int, Field(ge=1)]
"""Goes up with each change; it is also the ETag, which a change names in ``If-Match``."""


class Listed(Message):
    """A page of a list."""

    total: int
    """How many there are on all pages."""
    next: str | None
    """What ``after`` has to be for the next page; none if this is the last."""


class LineWindow(Part):
    """A time of each day with a rate of its own."""

    between: str
    rate: int


class SiteLine(Part):
    """What copies may take of the line to a site's servers together, in bytes a second."""

    rate: int | None
    windows: tuple[LineWindow, ...]
    zone: str


class SiteItem(Part):
    """A place whose servers and devices are near to each other."""

    id: UUID
    name: Name
    description: str
    subnets: tuple[str, ...]
    line: SiteLine
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


class ScrubPolicy(Message):
    """How often and how fast the servers of a store read all that they keep."""

    rate: Bytes = 8 << 20
    """Bytes a second at the most; 0 for no scrub."""
    every_seconds: int = 14 * 86_400


class StoreItem(Part):
    """What several servers keep chunks of."""

    id: UUID
    name: Name
    description: str
    default_path: str | None
    shared: bool
    copies: int | None
    """How many servers hold each version; none for all of them."""
    scrub: ScrubPolicy
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
    relay: bool
    release: str
    """Of its program, as last reported; empty if it did not say."""
    refusal: str
    """Why it serves its site nothing, of a relay; empty if it does."""
    releases: ReleasesReport | None = None
    """Which lie and run there, and how far it is with what was ordered; none of an older one."""
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
    scrub: ScrubReport | None
    """How far it is with reading all that it keeps; none before it said so."""
    versions: tuple[HeldVersion, ...]
    revision: Revision


class LostDisk(Part):
    """What a device wrote on a server that goes."""

    device: Name
    version: ExportName
    kind: str


class ServerRemoval(Part):
    """What goes with a server, or went."""

    server: Name
    lost: bool
    """Whether somebody said that its disk is gone."""
    removed: bool
    copies: tuple[ExportName, ...]
    """Published versions a copy of which goes; each is on another server."""
    disks: tuple[LostDisk, ...]
    """What devices wrote on it, which goes for ever."""
    deleted: tuple[ExportName, ...]
    """Versions whose deletion waited for this server alone."""
    tasks: tuple[int, ...]
    """Tasks for its store that are cancelled."""
    schedules: tuple[Name, ...]
    """Schedules of such tasks, which go too."""


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
    relay: bool = False
    """Whether it is the relay of its site; it needs a management address then."""


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
    relay: bool = False


class AddedServer(Message):
    """The answer to ``POST /v1/servers``."""

    server: ServerItem
    file: ServerFile
    """What the stream process starts from, with its token: shown this once, kept nowhere."""


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


class NewDeviceSeries(Message):
    """The body of ``POST /v1/devices/series``: devices whose names and cards count."""

    names: Annotated[str, Field(max_length=200)]
    """``PREFIX[FIRST-LAST]``, such as ``lab-[001-040]``."""
    first_mac: str
    image: Name | None = None
    collection: Name | None = None
    type: str = "production"
    description: Text = ""
    dry_run: bool = False


class BadLine(Part):
    """A line of a table that says no device."""

    line: int
    name: str
    code: str
    message: str


class ImportedDevices(Message):
    """Every device of a table or a series, or none; the lines of a series are places in it."""

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
