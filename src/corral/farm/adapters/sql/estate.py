"""The farm and its servers in SQL."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from corral.farm.adapters.sql import rows, tables
from corral.farm.adapters.sql.edits import named_once, replaced
from corral.farm.domain.estate.errors import (
    FarmExistsError,
    FarmUnknownError,
    ServerChangedError,
    ServerNameTakenError,
    ServerUnknownError,
    StoreTakenError,
)
from corral.farm.domain.estate.farm import FarmChangedError
from corral.farm.domain.estate.server import FormerServer, ServerName

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Connection

    from corral.farm.domain.access.token import TokenDigest
    from corral.farm.domain.estate.farm import Farm
    from corral.farm.domain.estate.server import LastReport, Server, ServerId

_SERVERS = (
    select(
        tables.server,
        tables.store_folder.c.id.label("folder_id"),
        tables.store_folder.c.path.label("folder_path"),
        tables.store_folder.c.named_store_id.label("folder_store_id"),
    )
    .join(tables.store_folder, tables.store_folder.c.server_id == tables.server.c.id)
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

    def change(self, seen: Farm, after: Farm) -> Farm:
        """Change the row if its revision is still the one that was seen."""
        changed = replace(
            seen,
            name=after.name,
            api_urls=after.api_urls,
            former_api_urls=after.former_api_urls,
            revision=seen.revision + 1,
        )
        values = rows.farm_values(changed)
        # Others raise it meanwhile, and nothing may set it back.
        del values["generation"]
        if not replaced(self._connection, tables.farm, seen.id, seen.revision, values):
            raise FarmChangedError(seen.name)
        return self.get()

    def raise_generation(self) -> None:
        """Add one, where the row is, so that no two writers give the same number."""
        self._connection.execute(
            update(tables.farm).values(generation=tables.farm.c.generation + 1)
        )

    def raise_generation_to(self, generation: int) -> None:
        """Begin to count anew."""
        raised = max(generation, self.get().generation + 1)
        self._connection.execute(update(tables.farm).values(generation=raised))


class SqlServers:
    """A row each for the server and its folder."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, server: Server) -> None:
        """Add both rows."""
        self._refuse_clash(server)
        with named_once(self._connection, ServerNameTakenError(server.name)):
            self._connection.execute(insert(tables.server).values(rows.server_values(server)))
            self._connection.execute(insert(tables.store_folder).values(rows.folder_values(server)))

    def change(self, seen: Server, after: Server) -> Server:
        """Change both rows if the server's revision is still the one that was seen."""
        changed = replace(after, id=seen.id, revision=seen.revision + 1)
        if self.with_id(seen.id).revision != seen.revision:
            raise ServerChangedError(seen.name)
        self._refuse_clash(changed)
        with named_once(self._connection, ServerNameTakenError(after.name)):
            replaced(
                self._connection, tables.server, seen.id, seen.revision, rows.server_values(changed)
            )
        self._connection.execute(
            update(tables.store_folder)
            .where(tables.store_folder.c.server_id == seen.id)
            .values(rows.folder_values(changed))
        )
        return self.with_id(seen.id)

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
            update(tables.server)
            .where(tables.server.c.id == server_id)
            .values(draining=draining, revision=tables.server.c.revision + 1)
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

    def remove(self, server_id: ServerId, now: datetime) -> None:
        """Delete both rows, and keep the token's digest."""
        server = self.with_id(server_id)
        self._connection.execute(
            insert(tables.former_server).values(
                token_digest=server.token_digest.value, name=server.name, removed_at=now
            )
        )
        self._connection.execute(
            update(tables.device)
            .where(tables.device.c.login_server_id == server_id)
            .values(login_server_id=None)
        )
        self._connection.execute(
            delete(tables.store_folder).where(tables.store_folder.c.server_id == server_id)
        )
        self._connection.execute(delete(tables.server).where(tables.server.c.id == server_id))

    def with_former_token(self, digest: TokenDigest) -> FormerServer | None:
        """Give the removed one whose token had that digest."""
        row = self._connection.execute(
            select(tables.former_server).where(tables.former_server.c.token_digest == digest.value)
        ).one_or_none()
        return None if row is None else FormerServer(ServerName(row.name), row.removed_at)

    def _refuse_clash(self, server: Server) -> None:
        """Look first: no constraint can say what depends on whether the store is shared."""
        named = _SERVERS.where(tables.server.c.name == server.name, tables.server.c.id != server.id)
        if self._connection.execute(named).first() is not None:
            raise ServerNameTakenError(server.name)
        row = self._connection.execute(
            select(tables.store.c.shared).where(tables.store.c.id == server.store.belongs_to)
        ).one()
        others = self._connection.execute(
            _SERVERS.where(
                tables.store_folder.c.id == server.store.id, tables.server.c.id != server.id
            )
        )
        for other in map(rows.server_from, others):
            if server.store.clashes_with(other.store, shared=row.shared):
                raise StoreTakenError(server.store.path, other.name)
