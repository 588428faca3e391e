"""List the images."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from corral.farm.application.choose_version import image_of
from corral.farm.application.kind_of_device import kind_of
from corral.farm.application.listing import Columns
from corral.farm.application.note_releases import as_of, versions_as_of, wait_of
from corral.farm.application.older_tools import older_tools, tools_in_force
from corral.farm.application.writers import OverlayView, view_of
from corral.farm.domain.image.choice import version_to_start
from corral.farm.domain.image.release import ReleaseWait
from corral.farm.domain.image.version import Access

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from corral.farm.application.ports.image_locks import ImageLocks
    from corral.farm.application.ports.records import Records, Transactions
    from corral.farm.application.ports.sources import Clock
    from corral.farm.domain.delivery.device import DeviceName
    from corral.farm.domain.estate.server import Server, ServerName
    from corral.farm.domain.image.change import VersionChange
    from corral.farm.domain.image.image import Image, ImageName
    from corral.farm.domain.image.replica import Replica
    from corral.farm.domain.image.republishing import OlderTools
    from corral.farm.domain.image.version import Version, VersionName
    from corral.farm.domain.library.release import Release


@dataclass(frozen=True)
class ReplicaView:
    """A replica and the server that holds it."""

    server: Server
    replica: Replica


@dataclass(frozen=True)
class VersionView:
    """A version as it stands now, where it is and who has it."""

    version: Version
    replicas: tuple[ReplicaView, ...]
    wait: ReleaseWait = field(default_factory=ReleaseWait)
    """What its release waits for, if it is pending."""
    running: tuple[DeviceName, ...] = ()
    """The devices that stream it, as their servers last said."""
    starting: tuple[DeviceName, ...] = ()
    """The devices that would start it now."""
    is_pinned: bool = False


@dataclass(frozen=True)
class ImageView:
    """An image with its versions, deleted ones left out."""

    image: Image
    versions: tuple[VersionView, ...]
    device_count: int
    is_busy: bool
    """Whether an import into it, or a delete from it, is under way."""
    overlays: tuple[OverlayView, ...] = ()
    """What devices write over its versions on servers."""
    only_server: ServerName | None = None
    """The one server that its devices may use, if somebody said so."""
    older_tools: OlderTools | None = None
    """Why it has to be republished; none if it does not have to be."""

    @property
    def newest(self) -> Version | None:
        """The version that its production devices start."""
        known = (view.version for view in self.versions)
        return version_to_start(known, Access.PRODUCTION, self.image.pinned)


IMAGES: Final = Columns[ImageView](
    values={
        "name": lambda view: view.image.name,
        "description": lambda view: view.image.description,
        "newest": lambda view: None if view.newest is None else str(view.newest.name),
        "versions": lambda view: len(view.versions),
        "devices": lambda view: view.device_count,
        "created": lambda view: view.image.created_at,
        "republish": lambda view: "" if view.older_tools is None else "needed",
    },
    identity=lambda view: view.image.name,
)
VERSIONS: Final = Columns[VersionView](
    values={
        "name": lambda view: str(view.version.name),
        "image": lambda view: view.version.name.image,
        "number": lambda view: view.version.number,
        "root": lambda view: view.version.root.hex,
        "access": lambda view: view.version.access.value,
        "state": lambda view: view.version.state.value,
        "size": lambda view: view.version.size_bytes,
        "published": lambda view: view.version.published_at,
        "description": lambda view: view.version.description,
        "server": lambda view: tuple(one.server.name for one in view.replicas),
    },
    identity=lambda view: f"{view.version.name.image} {view.version.number:010}",
)


def all_versions(views: Iterable[ImageView]) -> Iterator[VersionView]:
    """Give the versions of all images."""
    for view in views:
        yield from view.versions


class ListImages:
    """Gives all images, in the order of names."""

    def __init__(
        self, transactions: Transactions, locks: ImageLocks, clock: Clock, release: str
    ) -> None:
        self._transactions = transactions
        self._locks = locks
        self._clock = clock
        self._release = release

    def __call__(self) -> tuple[ImageView, ...]:
        """Give a view of each."""
        now = self._clock.now()
        with self._transactions.reading() as records:
            devices = _Devices(records)
            tools = tools_in_force(records, self._release)
            return tuple(
                _image_view(records, devices, self._locks, image, now, tools)
                for image in records.images.all()
            )


class ShowImage:
    """Gives one image."""

    def __init__(
        self, transactions: Transactions, locks: ImageLocks, clock: Clock, release: str
    ) -> None:
        self._transactions = transactions
        self._locks = locks
        self._clock = clock
        self._release = release

    def __call__(self, name: ImageName) -> ImageView:
        """Give its view; raises ``ImageUnknownError``."""
        now = self._clock.now()
        with self._transactions.reading() as records:
            image = records.images.get(name)
            tools = tools_in_force(records, self._release)
            return _image_view(records, _Devices(records), self._locks, image, now, tools)


class ShowVersion:
    """Gives one version, the library's too, and its replicas; polled while servers fetch it."""

    def __init__(self, transactions: Transactions, clock: Clock) -> None:
        self._transactions = transactions
        self._clock = clock

    def __call__(self, name: VersionName) -> VersionView:
        """Give its view; raises ``ImageUnknownError``, ``VersionUnknownError``."""
        now = self._clock.now()
        with self._transactions.reading() as records:
            image = image_of(records, name.image)
            seen = records.versions.get(name)
            (version,) = as_of(records, (seen,), now)
            devices = _Devices(records)
            starting = devices.starting(image, versions_as_of(records, image.id, now))
            return _version_view(
                records, devices, image, seen=seen, version=version, starting=starting, now=now
            )


class ShowVersionHistory:
    """Gives what was done to a version."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def __call__(self, name: VersionName) -> tuple[VersionChange, ...]:
        """Give its lines, the first one first; raises ``VersionUnknownError``."""
        with self._transactions.reading() as records:
            image = records.images.get(name.image)
            version = records.versions.get(name)
            return tuple(records.version_changes.of_version(image.id, version.number))


class _Devices:
    """Who runs what and who is assigned what, looked up once for a whole list."""

    def __init__(self, records: Records) -> None:
        self._records = records
        names = {device.id: device.name for device in records.devices.all()}
        self._running: dict[str, set[DeviceName]] = {}
        for session in records.sessions.all():
            if session.device_id in names:
                version = session.export.partition("@")[0]
                self._running.setdefault(version, set()).add(names[session.device_id])

    def running(self, name: VersionName) -> tuple[DeviceName, ...]:
        return tuple(sorted(self._running.get(str(name), ())))

    def starting(
        self, image: Image, versions: tuple[Version, ...]
    ) -> dict[VersionName, tuple[DeviceName, ...]]:
        """Say for each version which of the image's devices would start it."""
        found: dict[VersionName, list[DeviceName]] = {}
        for device in self._records.devices.with_image(image.id):
            chosen = version_to_start(versions, kind_of(device), image.pinned)
            if chosen is not None:
                found.setdefault(chosen.name, []).append(device.name)
        return {name: tuple(devices) for name, devices in found.items()}


def _image_view(  # noqa: PLR0913, PLR0917 - what one look at an image needs
    records: Records,
    devices: _Devices,
    locks: ImageLocks,
    image: Image,
    now: datetime,
    tools: Release | None,
) -> ImageView:
    recorded = records.versions.of_image(image.id)
    versions = as_of(records, recorded, now)
    starting = devices.starting(image, versions)
    return ImageView(
        image=image,
        versions=tuple(
            _version_view(
                records, devices, image, seen=seen, version=version, starting=starting, now=now
            )
            for seen, version in zip(recorded, versions, strict=True)
            if version.state != "deleted"
        ),
        device_count=len(records.devices.with_image(image.id)),
        is_busy=locks.is_held(image.name),
        overlays=tuple(view_of(records, one) for one in records.overlays.of_image(image.id)),
        only_server=None
        if image.only_server is None
        else records.servers.with_id(image.only_server).name,
        older_tools=older_tools(records, image, tools),
    )


def _version_view(  # noqa: PLR0913 - what one look at a version needs
    records: Records,
    devices: _Devices,
    image: Image,
    *,
    seen: Version,
    version: Version,
    starting: dict[VersionName, tuple[DeviceName, ...]],
    now: datetime,
) -> VersionView:
    return VersionView(
        version=version,
        replicas=tuple(
            ReplicaView(records.servers.with_id(replica.server_id), replica)
            for replica in records.replicas.of_root(version.root)
        ),
        wait=wait_of(records, seen, now),
        running=devices.running(version.name),
        starting=starting.get(version.name, ()),
        is_pinned=image.pinned == version.number,
    )
