"""The farm and its servers in SQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError

from corral.farm.adapters.sql import rows, tables
from corral.farm.domain.estate.errors import (
    FarmExistsError,
    FarmUnknownError,
    ServerNameTakenError,
    ServerUnknownError,
    StoreTakenError,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from corral.farm.domain.access.token import TokenDigest
    from corral.farm.domain.estate.farm import Farm
    from corral.farm.domain.estate.server import LastReport, Server, ServerId, ServerName

_SERVERS = (
    select(
        tables.server,
        tables.store.c.id.label("store_id"),
        tables.store.c.path.label("store_path"),
    )
    .join(tables.store, tables.store.c.server_id == tables.server.c.id)
    .order_by(tables.server.c.name)
)


class SqlFarmRecord:
    """One row."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def set_up(self, farm: Farm) -> None:
        """Remember the farm; once."""
        try:
            with self._connection.begin_nested():
                self._connection.execute(insert(tables.farm).values(rows.farm_values(farm)))
        except IntegrityError:
            raise FarmExistsError(self.get().name) from None

    def get(self) -> Farm:
        """Give the farm."""
        row = self._connection.execute(select(tables.farm)).one_or_none()
        if row is None:
            where = "this database"
            raise FarmUnknownError(where)
        return rows.farm_from(row)

    def raise_generation(self) -> None:
        """Add one, where the row is, so that no two writers give the same number."""
        self._connection.execute(
            update(tables.farm).values(generation=tables.farm.c.generation + 1)
        )


class SqlServers:
    """A row each in ``server`` and ``store``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, server: Server) -> None:
        """Add both rows, or say which name they clash with."""
        try:
            with self._connection.begin_nested():
                self._connection.execute(insert(tables.server).values(rows.server_values(server)))
                self._connection.execute(
                    insert(tables.store).values(
                        id=server.store.id,
                        server_id=server.id,
                        path=str(server.store.path),
                    )
                )
        except IntegrityError:
            self._explain_clash(server)
            raise

    def get(self, name: ServerName) -> Server:
        """Give the one of that name."""
        row = self._connection.execute(_SERVERS.where(tables.server.c.name == name)).one_or_none()
        if row is None:
            raise ServerUnknownError(name)
        return rows.server_from(row)

    def with_id(self, server_id: ServerId) -> Server:
        """Give the one with that id."""
        row = self._connection.execute(
            _SERVERS.where(tables.server.c.id == server_id)
        ).one_or_none()
        if row is None:
            raise ServerUnknownError(str(server_id))
        return rows.server_from(row)

    def with_token(self, digest: TokenDigest) -> Server | None:
        """Give the one whose token has that digest."""
        row = self._connection.execute(
            _SERVERS.where(tables.server.c.token_digest == digest.value)
        ).one_or_none()
        return None if row is None else rows.server_from(row)

    def all(self) -> Sequence[Server]:
        """Give all of them."""
        return [rows.server_from(row) for row in self._connection.execute(_SERVERS)]

    def set_draining(self, server_id: ServerId, *, draining: bool) -> None:
        """Set or clear the flag."""
        self._connection.execute(
            update(tables.server).where(tables.server.c.id == server_id).values(draining=draining)
        )

    def set_report(self, server_id: ServerId, report: LastReport) -> None:
        """Overwrite the last report."""
        result = self._connection.execute(
            update(tables.server)
            .where(tables.server.c.id == server_id)
            .values(rows.report_values(report))
        )
        if result.rowcount != 1:
            raise ServerUnknownError(str(server_id))

    def _explain_clash(self, server: Server) -> None:
        for other in self.all():
            if other.name == server.name:
                raise ServerNameTakenError(server.name) from None
            if server.store.path == other.store.path or server.store.id == other.store.id:
                raise StoreTakenError(server.store.path, other.name) from None
