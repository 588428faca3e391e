"""Images, versions and replicas in SQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from corral.farm.adapters.sql import rows, tables
from corral.farm.adapters.sql.users import image_policy
from corral.farm.domain.image.errors import (
    ImageNameTakenError,
    ImageUnknownError,
    VersionChangedError,
    VersionUnknownError,
)
from corral.farm.domain.image.image import Content
from corral.farm.domain.image.replica import ReplicaState
from corral.farm.domain.image.version_errors import ImageChangedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement, Connection

    from corral.farm.domain.estate.server import ServerId
    from corral.farm.domain.image.image import Image, ImageId, ImageName
    from corral.farm.domain.image.replica import Replica
    from corral.farm.domain.image.root import RootHash
    from corral.farm.domain.image.version import Version, VersionName

_ALL_IMAGES = select(tables.image).order_by(tables.image.c.name)
_IMAGES = _ALL_IMAGES.where(tables.image.c.content == Content.DISK.value)
_OF_LIBRARY = _ALL_IMAGES.where(tables.image.c.content != Content.DISK.value)
_VERSIONS = (
    select(tables.version, tables.image.c.name.label("image_name"))
    .join(tables.image, tables.image.c.id == tables.version.c.image_id)
    .order_by(tables.image.c.name, tables.version.c.number)
)
_REPLICAS = (
    select(tables.replica)
    .join(tables.server, tables.server.c.id == tables.replica.c.server_id)
    .order_by(tables.server.c.name, tables.replica.c.root)
)


class SqlImages:
    """A row each."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, image: Image) -> None:
        """Add one."""
        try:
            with self._connection.begin_nested():
                self._connection.execute(insert(tables.image).values(rows.image_values(image)))
        except IntegrityError:
            if self.find(image.name) is None and self.find_of_library(image.name) is None:
                raise
            raise ImageNameTakenError(image.name) from None

    def get(self, name: ImageName) -> Image:
        """Give the one of that name."""
        image = self.find(name)
        if image is None:
            raise ImageUnknownError(name)
        return image

    def find(self, name: ImageName) -> Image | None:
        """Give the one of that name, if there is one."""
        row = self._connection.execute(_IMAGES.where(tables.image.c.name == name)).one_or_none()
        return None if row is None else rows.image_from(row)

    def find_of_library(self, name: ImageName) -> Image | None:
        """Give the library's one of that name, if there is one."""
        asked = _OF_LIBRARY.where(tables.image.c.name == name)
        row = self._connection.execute(asked).one_or_none()
        return None if row is None else rows.image_from(row)

    def with_id(self, image_id: ImageId) -> Image:
        """Give the one with that id."""
        asked = _ALL_IMAGES.where(tables.image.c.id == image_id)
        row = self._connection.execute(asked).one_or_none()
        if row is None:
            raise ImageUnknownError(str(image_id))
        return rows.image_from(row)

    def change(self, seen: Image, after: Image) -> None:
        """Change the row if its revision is still the one that was seen."""
        values = rows.image_values(after)
        # Publishing raises the number, and nothing else may set it back.
        del values["last_number"]
        changed = self._connection.execute(
            update(tables.image)
            .where(tables.image.c.id == seen.id, tables.image.c.revision == seen.revision)
            .values(values)
        )
        if changed.rowcount != 1:
            raise ImageChangedError(seen.name)

    def remove(self, image_id: ImageId) -> None:
        """Delete its rows, and keep its name and number in another."""
        image = self.with_id(image_id)
        last = max(image.last_number, self.find_last_number(image.name))
        former = tables.former_image
        self._connection.execute(delete(former).where(former.c.name == image.name))
        self._connection.execute(insert(former).values(name=image.name, last_number=last))
        self._connection.execute(
            update(tables.device)
            .where(tables.device.c.login_image_id == image_id)
            .values(login_image_id=None)
        )
        for table in (tables.version_change, tables.version, image_policy):
            self._connection.execute(delete(table).where(table.c.image_id == image_id))
        self._connection.execute(delete(tables.image).where(tables.image.c.id == image_id))

    def find_last_number(self, name: ImageName) -> int:
        """Give the highest number of a removed image of that name."""
        former = tables.former_image
        found = self._connection.execute(
            select(former.c.last_number).where(former.c.name == name)
        ).scalar_one_or_none()
        return found or 0

    def all(self) -> Sequence[Image]:
        """Give all of them."""
        return [rows.image_from(row) for row in self._connection.execute(_IMAGES)]


class SqlVersions:
    """A row each, removed with the image alone."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def publish(self, version: Version) -> None:
        """Raise the image's last number from the one before this; nobody else can do the same."""
        raised = self._connection.execute(
            update(tables.image)
            .where(
                tables.image.c.id == version.image_id,
                tables.image.c.last_number == version.number - 1,
            )
            .values(last_number=version.number)
        )
        if raised.rowcount != 1:
            raise VersionChangedError(str(version.name))
        self._connection.execute(insert(tables.version).values(rows.version_values(version)))

    def adopt(self, version: Version) -> None:
        """Add one that is not known any more."""
        self._connection.execute(
            update(tables.image)
            .where(
                tables.image.c.id == version.image_id,
                tables.image.c.last_number < version.number,
            )
            .values(last_number=version.number)
        )
        try:
            with self._connection.begin_nested():
                self._connection.execute(
                    insert(tables.version).values(rows.version_values(version))
                )
        except IntegrityError:
            raise VersionChangedError(str(version.name)) from None

    def get(self, name: VersionName) -> Version:
        """Give the one of that name, whatever its state."""
        found = self._select(
            tables.image.c.name == name.image, tables.version.c.number == name.number
        )
        if not found:
            raise VersionUnknownError(str(name))
        return found[0]

    def of_image(self, image_id: ImageId) -> Sequence[Version]:
        """Give all versions of an image."""
        return self._select(tables.version.c.image_id == image_id)

    def all(self) -> Sequence[Version]:
        """Give all versions of all images."""
        return self._select()

    def with_root(self, root: RootHash) -> Sequence[Version]:
        """Give all versions that have that root."""
        return self._select(tables.version.c.root == root.hex)

    def move(self, seen: Version, after: Version) -> None:
        """Change the row if its state and revision are still as they were seen."""
        moved = self._connection.execute(
            update(tables.version)
            .where(
                tables.version.c.image_id == seen.image_id,
                tables.version.c.number == seen.number,
                tables.version.c.state == seen.state.value,
                tables.version.c.revision == seen.revision,
            )
            .values(rows.version_values(after))
        )
        if moved.rowcount != 1:
            raise VersionChangedError(str(seen.name))

    def _select(self, *conditions: ColumnElement[bool]) -> list[Version]:
        return [
            rows.version_from(row) for row in self._connection.execute(_VERSIONS.where(*conditions))
        ]


class SqlReplicas:
    """A row for each server and root."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def put(self, replica: Replica) -> None:
        """Update the row, or insert it where there is none: the order that works everywhere."""
        values = rows.replica_values(replica)
        updated = self._connection.execute(
            update(tables.replica)
            .where(
                tables.replica.c.server_id == replica.server_id,
                tables.replica.c.root == replica.root.hex,
            )
            .values(values)
        )
        if not updated.rowcount:
            self._connection.execute(insert(tables.replica).values(values))

    def find(self, server_id: ServerId, root: RootHash) -> Replica | None:
        """Give the one of that server and root."""
        found = self._select(
            tables.replica.c.server_id == server_id, tables.replica.c.root == root.hex
        )
        return found[0] if found else None

    def of_server(self, server_id: ServerId) -> Sequence[Replica]:
        """Give all of one server."""
        return self._select(tables.replica.c.server_id == server_id)

    def of_root(self, root: RootHash) -> Sequence[Replica]:
        """Give all of one root."""
        return self._select(tables.replica.c.root == root.hex)

    def all(self) -> Sequence[Replica]:
        """Give all of them."""
        return self._select()

    def count_complete(self) -> int:
        """Count the rows."""
        query = (
            select(func.count())
            .select_from(tables.replica)
            .where(tables.replica.c.state == ReplicaState.COMPLETE.value)
        )
        return self._connection.execute(query).scalar_one()

    def remove(self, server_id: ServerId, root: RootHash) -> None:
        """Delete the row."""
        self._connection.execute(
            delete(tables.replica).where(
                tables.replica.c.server_id == server_id, tables.replica.c.root == root.hex
            )
        )

    def _select(self, *conditions: ColumnElement[bool]) -> list[Replica]:
        return [
            rows.replica_from(row) for row in self._connection.execute(_REPLICAS.where(*conditions))
        ]
