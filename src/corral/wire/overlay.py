"""Disks that a device may change: what a server should keep of them, and what it keeps."""

from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import Field, StringConstraints

from corral.wire.message import Bytes, Part, RootHex, UnixSeconds

WritableName = Annotated[
    str, StringConstraints(pattern=r"^[^;/\s]+/[1-9][0-9]*@[^;/@\s]+$", max_length=768)
]
"""``IMAGE/NUMBER@DEVICE``: what the one device that may write asks for."""


class OverlayKind(StrEnum):
    """What a device's writes on a server are for."""

    SERVER = "server"
    """Forgotten when the device starts again."""
    SERVER_PERSISTENT = "server-persistent"
    """Kept from one start to the next."""
    MAINTENANCE = "maintenance"
    """To become a version."""
    CUSTOM = "custom"
    """The device's own disk."""


class Overlay(Part):
    """A disk over a version that the server should keep, under an id that is never used again.

    One that is no longer named is removed with what was written to it. To have an empty one, name
    another id.
    """

    id: UUID
    export: WritableName
    base: RootHex
    """The version below; it is among the exports or the replicas of the same configuration."""
    subject: UUID
    """The device: only a ticket for writing with this subject opens the export."""
    kind: OverlayKind
    limit_bytes: Annotated[int, Field(gt=0)]
    """What the written blocks may take on the server's disk."""
    created_at: UnixSeconds | None = None
    """An older farm does not say it."""
    sealing: bool = False
    """When its client is gone, offer it no longer and make it a version in the store."""


class OverlayState(StrEnum):
    """What an overlay is good for now."""

    READY = "ready"
    FULL = "full"
    """It takes no new blocks: its limit is reached or the server's disk is full. Reads and writes
    to blocks that it has go on."""
    FAILED = "failed"
    """It cannot be opened, or writing to it failed; ``problem`` says why."""
    SEALED = "sealed"
    """It is a version now: ``sealed_root``."""


class OverlayReport(Part):
    """How an overlay is."""

    id: UUID
    written_bytes: Bytes = 0
    """Bytes of the disk that are not the version's any more, zeroes among them."""
    allocated_bytes: Bytes = 0
    """What its blocks take of the limit."""
    limit_bytes: Bytes
    clients: Annotated[int, Field(ge=0)] = 0
    state: OverlayState
    problem: str = ""
    """Why it is full or failed, for people."""
    sealed_root: RootHex | None = None
    sealed_size_bytes: Bytes | None = None
    sealing_done_bytes: Bytes = 0
    sealing_total_bytes: Bytes = 0
