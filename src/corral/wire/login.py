"""A device logs in, or renews its login: what it is to stream, where from, and its ticket."""

from typing import Literal

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
    write_cache: Literal["device-ram"]
    servers: tuple[RankedServer, ...]
    """Best first. The client keeps the first two warm and the rest as spares."""
