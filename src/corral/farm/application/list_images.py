"""List the images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from corral.farm.domain.image.version import newest_published

if TYPE_CHECKING:
    from corral.farm.application.ports.image_locks import ImageLocks
    from corral.farm.application.ports.records import Records, Transactions
    from corral.farm.domain.estate.server import Server
    from corral.farm.domain.image.image import Image, ImageName
    from corral.farm.domain.image.replica import Replica
    from corral.farm.domain.image.version import Version, VersionName


@dataclass(frozen=True)
class ReplicaView:
    """A replica and the server that holds it."""

    server: Server
    replica: Replica


@dataclass(frozen=True)
class VersionView:
    """A version and where it is."""

    version: Version
    replicas: tuple[ReplicaView, ...]


@dataclass(frozen=True)
class ImageView:
    """An image with its versions, deleted ones left out."""

    image: Image
    versions: tuple[VersionView, ...]
    device_count: int
    is_busy: bool
    """Whether an import into it, or a delete from it, is under way."""

    @property
    def newest(self) -> Version | None:
        """The version that its devices get."""
        return newest_published(view.version for view in self.versions)


class ListImages:
    """Gives all images, in the order of names."""

    def __init__(self, transactions: Transactions, locks: ImageLocks) -> None:
        self._transactions = transactions
        self._locks = locks

    def __call__(self) -> tuple[ImageView, ...]:
        """Give a view of each."""
        with self._transactions.reading() as records:
            return tuple(_image_view(records, self._locks, image) for image in records.images.all())


class ShowImage:
    """Gives one image."""

    def __init__(self, transactions: Transactions, locks: ImageLocks) -> None:
        self._transactions = transactions
        self._locks = locks

    def __call__(self, name: ImageName) -> ImageView:
        """Give its view; raises ``ImageUnknownError``."""
        with self._transactions.reading() as records:
            return _image_view(records, self._locks, records.images.get(name))


class ShowVersion:
    """Gives one version and its replicas; polled while servers fetch it."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def __call__(self, name: VersionName) -> VersionView:
        """Give its view; raises ``ImageUnknownError``, ``VersionUnknownError``."""
        with self._transactions.reading() as records:
            records.images.get(name.image)
            return _version_view(records, records.versions.get(name))


def _image_view(records: Records, locks: ImageLocks, image: Image) -> ImageView:
    return ImageView(
        image=image,
        versions=tuple(
            _version_view(records, version)
            for version in records.versions.of_image(image.id)
            if version.state != "deleted"
        ),
        device_count=len(records.devices.with_image(image.id)),
        is_busy=locks.is_held(image.name),
    )


def _version_view(records: Records, version: Version) -> VersionView:
    return VersionView(
        version,
        tuple(
            ReplicaView(records.servers.with_id(replica.server_id), replica)
            for replica in records.replicas.of_root(version.root)
        ),
    )
