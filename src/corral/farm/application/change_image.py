"""Change what an image is and how its devices keep what they write."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from corral.farm.application.edits import KEEP, Edit, Keep
from corral.farm.application.spread_versions import spread_versions
from corral.farm.domain.image.errors import CopyLeavesError
from corral.farm.domain.image.version_errors import ImageChangedError
from corral.farm.domain.image.write_cache import (
    ImageCustomError,
    ImageMode,
    ImageStreamedError,
)

if TYPE_CHECKING:
    from corral.farm.application.ports.records import Records, Transactions
    from corral.farm.application.ports.sources import Clock
    from corral.farm.domain.delivery.device import DeviceName
    from corral.farm.domain.estate.server import ServerName
    from corral.farm.domain.image.image import Image, ImageName
    from corral.farm.domain.image.write_cache import CacheSetting


@dataclass(frozen=True)
class ImageEdit:
    """What is to be different; None leaves a thing as it is."""

    description: str | None = None
    mode: ImageMode | None = None
    write_cache: CacheSetting | None = None
    only_server: Edit[ServerName | None] = KEEP
    """The one server that its devices may use; ``None`` for every server that holds it."""


class ChangeImage:
    """Changes an image; from its next start on, each device goes by what it then says.

    Kept to one server, it flows there first if need be; nobody is moved.
    """

    def __init__(self, transactions: Transactions, clock: Clock) -> None:
        self._transactions = transactions
        self._clock = clock

    def __call__(self, name: ImageName, edit: ImageEdit, revision: int | None = None) -> Image:
        """Give the changed image.

        Raises ``ImageChangedError``; for a change of mode ``ImageStreamedError`` while devices run
        it, and ``ImageCustomError`` if it has more than the one device that a custom image is for;
        for an only server ``ServerUnknownError``, and ``CopyLeavesError`` if that was told to let a
        version go.
        """
        with self._transactions.writing() as records:
            seen = records.images.get(name)
            if revision is not None and seen.revision != revision:
                raise ImageChangedError(name)
            only = seen.only_server
            if edit.only_server is not Keep.KEEP:
                named = edit.only_server
                only = None if named is None else records.servers.get(named).id
            after = replace(
                seen,
                only_server=only,
                description=seen.description if edit.description is None else edit.description,
                mode=edit.mode or seen.mode,
                write_cache=edit.write_cache or seen.write_cache,
            )
            if after == seen:
                return seen
            if after.mode is not seen.mode:
                _refuse_if_streamed(records, seen)
                refuse_second_device(records, after)
            records.images.change(seen, after.changed())
            if after.only_server != seen.only_server:
                _refuse_if_leaving(records, after)
                spread_versions(records, self._clock.now())
            return records.images.get(name)


def refuse_second_device(records: Records, image: Image, further: DeviceName | None = None) -> None:
    """Raise ``ImageCustomError`` if a custom image had more than one device."""
    if image.mode is not ImageMode.CUSTOM:
        return
    devices = {device.name for device in records.devices.with_image(image.id)}
    if further is not None:
        devices.add(further)
    if len(devices) > 1:
        raise ImageCustomError(image.name, sorted(devices))


def _refuse_if_leaving(records: Records, image: Image) -> None:
    if image.only_server is None:
        return
    server = records.servers.with_id(image.only_server)
    for version in records.versions.of_image(image.id):
        replica = records.replicas.find(server.id, version.root)
        if version.is_published and replica is not None and replica.is_removing:
            raise CopyLeavesError(str(version.name), server.name)


def _refuse_if_streamed(records: Records, image: Image) -> None:
    names = {device.id: str(device.name) for device in records.devices.all()}
    running = sorted(
        {
            session.address
            if session.device_id is None
            else names.get(session.device_id, session.address)
            for session in records.sessions.all()
            if session.export.partition("/")[0] == image.name
        }
    )
    if running:
        raise ImageStreamedError(image.name, running)
