"""Units of work on a relational database."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING
from weakref import finalize

from corral.farm.adapters.sql import schema
from corral.farm.adapters.sql.accounts import (
    SqlAccessTokens,
    SqlAccounts,
    SqlGroups,
    SqlRoleGrants,
)
from corral.farm.adapters.sql.affinities import SqlAffinities
from corral.farm.adapters.sql.audit import SqlAudit
from corral.farm.adapters.sql.delivery import SqlDevices, SqlSessions
from corral.farm.adapters.sql.device_caches import SqlDeviceCaches
from corral.farm.adapters.sql.device_places import SqlPlaces
from corral.farm.adapters.sql.engine import open_engine
from corral.farm.adapters.sql.estate import SqlFarmRecord, SqlServers
from corral.farm.adapters.sql.failures import translated
from corral.farm.adapters.sql.images import SqlImages, SqlReplicas, SqlVersions
from corral.farm.adapters.sql.moves import SqlBalance, SqlMoves
from corral.farm.adapters.sql.options import WRITING
from corral.farm.adapters.sql.overlays import SqlOverlays
from corral.farm.adapters.sql.places import SqlCollections, SqlSites, SqlStores
from corral.farm.adapters.sql.tasks import SqlSchedules, SqlTasks, SqlWorkers
from corral.farm.adapters.sql.version_changes import SqlVersionChanges

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection, Engine


@dataclass(frozen=True)
class SqlRecords:
    """Every repository on one connection."""

    farm: SqlFarmRecord
    accounts: SqlAccounts
    groups: SqlGroups
    role_grants: SqlRoleGrants
    access_tokens: SqlAccessTokens
    sites: SqlSites
    collections: SqlCollections
    stores: SqlStores
    servers: SqlServers
    images: SqlImages
    versions: SqlVersions
    replicas: SqlReplicas
    devices: SqlDevices
    sessions: SqlSessions
    version_changes: SqlVersionChanges
    device_caches: SqlDeviceCaches
    overlays: SqlOverlays
    audit: SqlAudit
    places: SqlPlaces
    affinities: SqlAffinities
    moves: SqlMoves
    balance: SqlBalance
    tasks: SqlTasks
    schedules: SqlSchedules
    workers: SqlWorkers

    @classmethod
    def on(cls, connection: Connection) -> SqlRecords:
        """Make them all."""
        return cls(
            farm=SqlFarmRecord(connection),
            accounts=SqlAccounts(connection),
            groups=SqlGroups(connection),
            role_grants=SqlRoleGrants(connection),
            access_tokens=SqlAccessTokens(connection),
            sites=SqlSites(connection),
            collections=SqlCollections(connection),
            stores=SqlStores(connection),
            servers=SqlServers(connection),
            images=SqlImages(connection),
            versions=SqlVersions(connection),
            replicas=SqlReplicas(connection),
            devices=SqlDevices(connection),
            sessions=SqlSessions(connection),
            version_changes=SqlVersionChanges(connection),
            device_caches=SqlDeviceCaches(connection),
            overlays=SqlOverlays(connection),
            audit=SqlAudit(connection),
            places=SqlPlaces(connection),
            affinities=SqlAffinities(connection),
            moves=SqlMoves(connection),
            balance=SqlBalance(connection),
            tasks=SqlTasks(connection),
            schedules=SqlSchedules(connection),
            workers=SqlWorkers(connection),
        )


class SqlTransactions:
    """Transactions on the database of a URL; nothing is opened before the first of them."""

    def __init__(self, url: str) -> None:
        self._url = url

    def set_up(self) -> None:
        """Bring the schema up to date; a change looks again under the lock."""
        with translated(), self._engine.connect() as connection:
            if schema.is_current(connection):
                return
        with self._begun(is_writing=True) as connection:
            if not schema.is_current(connection):
                schema.upgrade(connection)

    @contextmanager
    def reading(self) -> Iterator[SqlRecords]:
        """Look at one moment."""
        with translated(), self._engine.connect() as connection:
            try:
                yield SqlRecords.on(connection)
            finally:
                connection.rollback()

    @contextmanager
    def writing(self) -> Iterator[SqlRecords]:
        """Change records."""
        with self._begun(is_writing=True) as connection:
            yield SqlRecords.on(connection)

    def close(self) -> None:
        """Close the pooled connections."""
        self._engine.dispose()

    @contextmanager
    def _begun(self, *, is_writing: bool) -> Iterator[Connection]:
        with translated(), self._engine.connect() as connection:
            begun = connection.execution_options(**{WRITING: is_writing})
            with begun.begin():
                yield begun

    @cached_property
    def _engine(self) -> Engine:
        engine = open_engine(self._url)
        # A command ends without a word to us; a server likes to be told.
        finalize(self, engine.dispose)
        return engine
