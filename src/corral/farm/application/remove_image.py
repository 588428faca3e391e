"""Remove an image of which nothing is left."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corral.farm.application.writers import view_of
from corral.farm.domain.image.errors import ImageInUseError
from corral.farm.domain.image.version import VersionState
from corral.farm.domain.image.version_errors import ImageChangedError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from corral.farm.application.ports.image_locks import ImageLocks
    from corral.farm.application.ports.records import Records, Transactions
    from corral.farm.domain.image.image import Image, ImageName


class RemoveImage:
    """Takes it out of the farm, with the history of its deleted versions.

    An image that is imported under its name later goes on with the numbers: what ``debian/3`` was
    once, in a log or on a server that was away, nothing else ever is.
    """

    def __init__(self, transactions: Transactions, locks: ImageLocks) -> None:
        self._transactions = transactions
        self._locks = locks

    def __call__(self, name: ImageName, revision: int | None = None) -> Image:
        """Give the image as it was; ``ImageBusyError`` at once if an import into it runs.

        Raises ``ImageUnknownError``, ``ImageInUseError``, and ``ImageChangedError`` if ``revision``
        is given and is not that of the image any more.
        """
        with self._locks.hold(name), self._transactions.writing() as records:
            image = records.images.get(name)
            if revision not in (None, image.revision):
                raise ImageChangedError(name)
            users = tuple(_users(records, image))
            if users:
                raise ImageInUseError(name, users)
            if records.affinities.with_id(image.id).affinity is not None:
                records.affinities.set_affinity(image.id, None)
            records.images.remove(image.id)
            return image


def _users(records: Records, image: Image) -> Iterator[str]:
    for version in records.versions.of_image(image.id):
        if version.state is VersionState.DELETING:
            yield f"version {version.name} (servers are still to delete it)"
        elif version.state is not VersionState.DELETED:
            yield f"version {version.name}"
    for overlay in records.overlays.of_image(image.id):
        view = view_of(records, overlay)
        yield f"what device {view.device.name} wrote on {view.server.name}"
    for device in records.devices.with_image(image.id):
        yield f"device {device.name}"
    holders: dict[UUID, str] = {user.id: f"user {user.name}" for user in records.users.all()}
    holders |= {group.id: f"user group {group.name}" for group in records.user_groups.all()}
    for assignment in records.image_assignments.all():
        if assignment.image_id == image.id:
            yield holders[assignment.holder]
