"""A device logs in, or renews its login: what it is to stream, where from, and its ticket."""

from enum import StrEnum

from corral.wire.message import (
    Address,
    Bytes,
    Message,
    Name,
    Part,
    RootHex,
    StreamName,
    UnixSeconds,
)


class WriteCache(StrEnum):
    """Where the writes of a streamed device go."""

    DEVICE_RAM = "device-ram"
    DEVICE_RAM_OVERFLOW = "device-ram-overflow"
    DEVICE_DISK = "device-disk"
    DEVICE_DISK_PERSISTENT = "device-disk-persistent"
    SERVER = "server"
    SERVER_PERSISTENT = "server-persistent"


class CacheFallback(StrEnum):
    """What a device does whose cache disk is missing."""

    DEVICE_RAM = "device-ram"
    SERVER = "server"
    REFUSE = "refuse"


class WriteCacheUse(Part):
    """How full a device's own write cache is."""

    used_bytes: Bytes | None = None
    limit_bytes: Bytes | None = None
    kind: WriteCache = WriteCache.DEVICE_RAM
    """What the device really uses; another than it was told to if that could not be."""
    problem: str = ""
    """Why, in words for people."""


class LoginRequest(Message):
    """The body of ``POST /v1/devices/{name}/login``, which a device that starts may leave out."""

    running: RootHex | None = None
    """What the device has booted. The answer is then for this root, whatever is newest by now."""
    write_cache: WriteCacheUse | None = None
    """What the device uses, and how full it is, from one that keeps its writes itself."""
    cache_disk: bool | None = None
    """Whether a device that starts found a disk for its write cache; left out, it did not look.
    If not, the answer is what the image says for such a case."""
    failing_over: bool = False
    """It has lost its server while it starts. Like one that says what it runs, it is let in
    whatever the limits of devices that start at once."""


class RankedServer(Part):
    """A server that holds the version, and the addresses at which devices reach it."""

    name: Name
    addresses: tuple[Address, ...]
    tls: bool = False
    """It is to be spoken to under TLS only, by whatever address."""


class LoginAnswer(Message):
    """The answer to ``POST /v1/devices/{name}/login``."""

    device: Name
    export: StreamName
    root: RootHex
    """The version; of a writable disk, the one below it."""
    size_bytes: Bytes
    ticket: str
    """Opens ``export`` on the servers; base64url without padding."""
    expires_at: UnixSeconds
    write_cache: WriteCache
    """Where the device is to keep what it writes."""
    cache_limit_bytes: Bytes | None = None
    """The most that it keeps itself; left out, what it has room for."""
    cache_fallback: CacheFallback | None = None
    """What it does whose cache disk is missing, of a setting that needs one. It says so and is
    answered accordingly; on its own it does this only if the farm did not hear it."""
    servers: tuple[RankedServer, ...]
    """Best first. The client keeps the first two warm and the rest as spares. A writable disk is on
    one server only."""
    writable: bool = False
    """Writes go to the server: ``export`` is the device's own and ``ticket`` is for writing."""
    certificate_authority: str | None = None
    """The farm's root certificate in PEM, where a server is to be spoken to under TLS: it is
    believed by this alone."""
    answered_from: UnixSeconds | None = None
    """When the snapshot was taken that this was answered from, the farm's database being away."""
