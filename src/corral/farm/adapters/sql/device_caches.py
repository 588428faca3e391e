"""The write caches of devices in SQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, insert, select, update

from corral.farm.adapters.sql.tables import device_cache
from corral.farm.domain.delivery.device import DeviceId
from corral.farm.domain.image.write_cache import (
    CacheFallback,
    CacheSetting,
    DeviceCache,
    UsedCache,
    WriteCache,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection, Row


class SqlDeviceCaches:
    """A row for each device that has something to tell."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def with_id(self, device_id: DeviceId) -> DeviceCache:
        """Give the device's."""
        row = self._connection.execute(
            select(device_cache).where(device_cache.c.device_id == device_id)
        ).one_or_none()
        return DeviceCache(device_id) if row is None else _cache_from(row)

    def all(self) -> Mapping[DeviceId, DeviceCache]:
        """Give all that are known."""
        found = map(_cache_from, self._connection.execute(select(device_cache)))
        return {one.device_id: one for one in found}

    def set_setting(self, device_id: DeviceId, setting: CacheSetting | None) -> None:
        """Set or clear its columns."""
        self._set(
            device_id,
            kind=None if setting is None else setting.kind.value,
            limit_bytes=None if setting is None else setting.limit_bytes,
            fallback=None if setting is None else setting.fallback.value,
        )

    def remove(self, device_id: DeviceId) -> None:
        """Delete the row."""
        self._connection.execute(delete(device_cache).where(device_cache.c.device_id == device_id))

    def set_used(self, device_id: DeviceId, used: UsedCache | None) -> None:
        """Overwrite its columns."""
        self._set(
            device_id,
            used_kind=None if used is None else used.kind.value,
            used_at=None if used is None else used.at,
            used_limit_bytes=None if used is None else used.limit_bytes,
            used_bytes=None if used is None else used.used_bytes,
            used_problem=None if used is None else used.problem,
        )

    def _set(self, device_id: DeviceId, **values: object) -> None:
        changed = self._connection.execute(
            update(device_cache).where(device_cache.c.device_id == device_id).values(**values)
        )
        if not changed.rowcount:
            self._connection.execute(insert(device_cache).values(device_id=device_id, **values))


def _cache_from(row: Row[Any]) -> DeviceCache:
    return DeviceCache(
        DeviceId(row.device_id),
        setting=(
            None
            if row.kind is None
            else CacheSetting(WriteCache(row.kind), row.limit_bytes, CacheFallback(row.fallback))
        ),
        used=(
            None
            if row.used_kind is None
            else UsedCache(
                kind=WriteCache(row.used_kind),
                at=row.used_at,
                limit_bytes=row.used_limit_bytes,
                used_bytes=row.used_bytes,
                problem=row.used_problem,
            )
        ),
    )
