"""List the devices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from corral.farm.application.kind_of_device import kind_of
from corral.farm.application.listing import Columns
from corral.farm.application.note_releases import versions_as_of
from corral.farm.application.writers import view_of
from corral.farm.domain.image.choice import version_to_start
from corral.farm.domain.image.write_cache import PLAIN_CACHE, DeviceCache

if TYPE_CHECKING:
    from datetime import datetime

    from corral.farm.application.ports.records import Records, Transactions
    from corral.farm.application.ports.sources import Clock
    from corral.farm.application.writers import OverlayView
    from corral.farm.domain.delivery.device import Device, DeviceId, DeviceName
    from corral.farm.domain.estate.collection import Collection
    from corral.farm.domain.estate.site import Site
    from corral.farm.domain.image.image import Image, ImageId, ImageName
    from corral.farm.domain.image.version import Access, VersionName
    from corral.farm.domain.image.write_cache import CacheSetting, UsedCache


@dataclass(frozen=True)
class DeviceView:
    """A device and what it would start from now."""

    device: Device
    image: ImageName | None
    version: VersionName | None
    """Of its image, what its type starts now."""
    collection: Collection
    site: Site
    cache: CacheSetting = PLAIN_CACHE
    """Where it is to keep what it writes."""
    has_own_cache: bool = False
    """Whether that is its own and not its image's."""
    used: UsedCache | None = None
    """Where it says that it does."""
    overlays: tuple[OverlayView, ...] = ()
    """What it writes on servers."""
    warning: str = ""
    """What a person should know of its writes; nothing if all is well."""


DEVICES: Final = Columns[DeviceView](
    values={
        "name": lambda view: view.device.name,
        "mac": lambda view: view.device.mac.text,
        "collection": lambda view: view.collection.name,
        "site": lambda view: view.site.name,
        "type": lambda view: view.device.type.value,
        "disabled": lambda view: view.device.disabled,
        "image": lambda view: view.image,
        "version": lambda view: None if view.version is None else str(view.version),
        "description": lambda view: view.device.description,
        "write-cache": lambda view: view.cache.kind.value,
        "warning": lambda view: view.warning,
        "registered": lambda view: view.device.registered_at,
        "last-login": lambda view: None if (last := view.device.last_login) is None else last.at,
    },
    identity=lambda view: view.device.name,
)


class ListDevices:
    """Gives all devices, in the order of names."""

    def __init__(self, transactions: Transactions, clock: Clock) -> None:
        self._transactions = transactions
        self._clock = clock

    def __call__(self) -> tuple[DeviceView, ...]:
        """Give a view of each."""
        now = self._clock.now()
        with self._transactions.reading() as records:
            view_of = _Views(records, now)
            return tuple(view_of(device) for device in records.devices.all())


class ShowDevice:
    """Gives one device."""

    def __init__(self, transactions: Transactions, clock: Clock) -> None:
        self._transactions = transactions
        self._clock = clock

    def __call__(self, name: DeviceName) -> DeviceView:
        """Give its view; raises ``DeviceUnknownError``."""
        now = self._clock.now()
        with self._transactions.reading() as records:
            return _Views(records, now)(records.devices.get(name))


def devices_with_warnings(records: Records, now: datetime) -> tuple[DeviceView, ...]:
    """Give the devices of whose writes a person should know something."""
    view_of_device = _Views(records, now)
    views = (view_of_device(device) for device in records.devices.all())
    return tuple(view for view in views if view.warning)


class _Views:
    """Looks up what many devices have in common once, however many there are."""

    def __init__(self, records: Records, now: datetime) -> None:
        self._records = records
        self._now = now
        self._collections = {one.id: one for one in records.collections.all()}
        self._sites = {site.id: site for site in records.sites.all()}
        self._caches = records.device_caches.all()
        self._overlays: dict[DeviceId, list[OverlayView]] = {}
        for overlay in records.overlays.all():
            view = view_of(records, overlay)
            self._overlays.setdefault(overlay.device_id, []).append(view)
        self._images: dict[ImageId, Image] = {}
        self._chosen: dict[tuple[ImageId, Access], VersionName | None] = {}

    def __call__(self, device: Device) -> DeviceView:
        collection = self._collections[device.collection_id]
        site = self._sites[collection.site_id]
        image = None if device.assignment is None else self._image(device.assignment.image_id)
        cache = self._caches.get(device.id, DeviceCache(device.id))
        of_image = PLAIN_CACHE if image is None else image.write_cache
        overlays = tuple(self._overlays.get(device.id, ()))
        warnings = [cache.warning(of_image), *(_problem(view) for view in overlays)]
        return DeviceView(
            device=device,
            image=None if image is None else image.name,
            version=None if image is None else self._version(image, kind_of(device)),
            collection=collection,
            site=site,
            cache=cache.setting or of_image,
            has_own_cache=cache.setting is not None,
            used=cache.used,
            overlays=overlays,
            warning="; ".join(warning for warning in warnings if warning),
        )

    def _image(self, image_id: ImageId) -> Image:
        if image_id not in self._images:
            self._images[image_id] = self._records.images.with_id(image_id)
        return self._images[image_id]

    def _version(self, image: Image, kind: Access) -> VersionName | None:
        key = image.id, kind
        if key not in self._chosen:
            versions = versions_as_of(self._records, image.id, self._now)
            chosen = version_to_start(versions, kind, image.pinned)
            self._chosen[key] = None if chosen is None else chosen.name
        return self._chosen[key]


def _problem(view: OverlayView) -> str:
    return f"{view.export} on {view.server.name} is {view.problem}" if view.problem else ""
