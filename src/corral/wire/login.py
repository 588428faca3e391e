"""A device logs in, or renews its login: what it is to stream, where from, and its ticket."""

from enum import StrEnum

from corral.wire.message import (
    Address,
    Bytes,
    ExportName,
    Message,
    Name,
    Part,
    RootHex,
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


class LoginRequest(Message):
    """The body of ``POST /v1/devices/{name}/login``, which a device that starts leaves out."""

    running: RootHex | None = None
    """What the device has booted. The answer is then for this root, whatever is newest by now."""


class RankedServer(Part):
    """A server that holds the version, and the addresses at which devices reach it."""

    name: Name
    addresses: tuple[Address, ...]


class LoginAnswer(Message):
    """The answer to ``POST /v1/devices/{name}/login``."""

    device: Name
    export: ExportName
    root: RootHex
    size_bytes: Bytes
    ticket: str
    """Opens ``export`` on the servers; base64url without padding."""
    expires_at: UnixSeconds
    write_cache: WriteCache
    """Where the device is to keep what it writes."""
    servers: tuple[RankedServer, ...]
    """Best first. The client keeps the first two warm and the rest as spares."""
