"""What the farm was restored from, and what servers said since, in SQL."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Integer,
    Table,
    Text,
    Uuid,
    delete,
    insert,
    select,
    text,
)

from corral.farm.adapters.sql.rows import SINGLETON
from corral.farm.adapters.sql.tables import Instant, metadata
from corral.farm.application.ports.backups import Restoration
from corral.farm.domain.backup.backup import BackupId
from corral.farm.domain.backup.observation import HeldOverlay, HeldVersion, Observation
from corral.farm.domain.delivery.device import DeviceId
from corral.farm.domain.estate.server import ServerId
from corral.farm.domain.image.image import Content
from corral.farm.domain.image.overlay import OverlayId, OverlayKind
from corral.farm.domain.image.root import RootHash
from corral.farm.domain.image.standing import Standing
from corral.farm.domain.image.version import VersionName

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection, Row

restoration = Table(
    "restoration",
    metadata,
    # One row, there as soon as the farm was restored once.
    Column("singleton", Integer, primary_key=True, autoincrement=False),
    Column("backup_id", Uuid, nullable=False),
    Column("taken_at", Instant, nullable=False),
    Column("restored_at", Instant, nullable=False),
    Column("generation", BigInteger, nullable=False, server_default=text("0")),
    Column("accepted_at", Instant),
    Column("accepted_by", Text, nullable=False, server_default=""),
    Column("because", Text, nullable=False, server_default=""),
)

observation = Table(
    "observation",
    metadata,
    # No foreign key: a release that does not know the table removes servers.
    Column("server_id", Uuid, primary_key=True),
    Column("heard_at", Instant, nullable=False),
    Column("generation", BigInteger, nullable=False),
    Column("versions", JSON, nullable=False),
    Column("overlays", JSON, nullable=False),
    Column("settled_at", Instant),
)


class SqlRestorations:
    """One row."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def find(self) -> Restoration | None:
        """Give the last."""
        row = self._connection.execute(select(restoration)).one_or_none()
        if row is None:
            return None
        return Restoration(
            backup=BackupId(row.backup_id),
            taken_at=row.taken_at,
            restored_at=row.restored_at,
            generation=row.generation,
            accepted_at=row.accepted_at,
            accepted_by=row.accepted_by,
            because=row.because,
        )

    def put(self, of: Restoration) -> None:
        """Replace it."""
        self._connection.execute(delete(restoration))
        self._connection.execute(
            insert(restoration).values(
                singleton=SINGLETON,
                backup_id=of.backup,
                taken_at=of.taken_at,
                restored_at=of.restored_at,
                generation=of.generation,
                accepted_at=of.accepted_at,
                accepted_by=of.accepted_by,
                because=of.because,
            )
        )


class SqlObservations:
    """A row for each server that was heard of."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def find(self, server_id: ServerId) -> Observation | None:
        """Give what one server said."""
        asked = select(observation).where(observation.c.server_id == server_id)
        row = self._connection.execute(asked).one_or_none()
        return None if row is None else _observation(row)

    def all(self) -> Sequence[Observation]:
        """Give all."""
        asked = select(observation).order_by(observation.c.server_id)
        return [_observation(row) for row in self._connection.execute(asked)]

    def put(self, seen: Observation) -> None:
        """Replace what it said before."""
        self._connection.execute(
            delete(observation).where(observation.c.server_id == seen.server_id)
        )
        self._connection.execute(
            insert(observation).values(
                server_id=seen.server_id,
                heard_at=seen.heard_at,
                generation=seen.generation,
                versions=[_version_document(one) for one in seen.versions],
                overlays=[_overlay_document(one) for one in seen.overlays],
                settled_at=seen.settled_at,
            )
        )

    def forget_all(self) -> None:
        """Forget all."""
        self._connection.execute(delete(observation))


def _observation(row: Row[Any]) -> Observation:
    return Observation(
        server_id=ServerId(row.server_id),
        heard_at=row.heard_at,
        generation=row.generation,
        versions=tuple(map(_version, row.versions)),
        overlays=tuple(map(_overlay, row.overlays)),
        settled_at=row.settled_at,
    )


def _version_document(one: HeldVersion) -> dict[str, Any]:
    return {
        "name": str(one.name),
        "root": one.root.hex,
        "signature": base64.b64encode(one.signature).decode("ascii"),
        "size_bytes": one.size_bytes,
        "standing": None if one.standing is None else one.standing.value,
        "content": one.content.value,
        "is_offered": one.is_offered,
        "is_complete": one.is_complete,
    }


def _version(document: dict[str, Any]) -> HeldVersion:
    standing = document["standing"]
    return HeldVersion(
        name=VersionName.parse(document["name"]),
        root=RootHash(document["root"]),
        signature=base64.b64decode(document["signature"]),
        size_bytes=document["size_bytes"],
        standing=None if standing is None else Standing(standing),
        content=Content(document["content"]),
        is_offered=document["is_offered"],
        is_complete=document["is_complete"],
    )


def _overlay_document(one: HeldOverlay) -> dict[str, Any]:
    return {
        "id": str(one.id),
        "export": one.export,
        "base": one.base.hex,
        "device_id": str(one.device_id),
        "kind": one.kind.value,
        "limit_bytes": one.limit_bytes,
    }


def _overlay(document: dict[str, Any]) -> HeldOverlay:
    return HeldOverlay(
        id=OverlayId(UUID(document["id"])),
        export=document["export"],
        base=RootHash(document["base"]),
        device_id=DeviceId(UUID(document["device_id"])),
        kind=OverlayKind(document["kind"]),
        limit_bytes=document["limit_bytes"],
    )
