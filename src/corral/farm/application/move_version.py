"""What every move of a version between those who may start it has in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from corral.farm.application.choose_version import published_version
from corral.farm.application.kind_of_device import kind_of
from corral.farm.application.note_releases import note_releases
from corral.farm.domain.image.change import VersionChange
from corral.farm.domain.image.choice import version_to_start
from corral.farm.domain.image.errors import VersionChangedError, VersionLastError
from corral.farm.domain.image.version_errors import VersionPinnedError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from corral.farm.application.ports.records import Records
    from corral.farm.domain.delivery.device import DeviceName
    from corral.farm.domain.image.image import Image
    from corral.farm.domain.image.version import Version, VersionName


@dataclass(frozen=True)
class Mover:
    """Moves versions in one transaction, at one moment, in somebody's name."""

    records: Records
    now: datetime
    by: str

    def look(self, name: VersionName, revision: int | None = None) -> Version:
        """Give the version as it stands now, releases that are due noted.

        Raises ``VersionUnknownError``; ``VersionChangedError`` if it is not at ``revision``.
        """
        seen = published_version(self.records, name)
        if revision is not None and seen.revision != revision:
            raise VersionChangedError(str(name))
        note_releases(self.records, self.records.versions.of_image(seen.image_id), self.now)
        return self.records.versions.get(name)

    def move(self, seen: Version, after: Version, what: str, note: str = "") -> Version:
        """Put ``after`` in the place of ``seen``, and say so in its history."""
        moved = after.changed(self.by, self.now)
        self.records.versions.move(seen, moved)
        # Servers keep where it stands, for a farm that loses its records.
        self.records.farm.raise_generation()
        self.records.version_changes.note(
            VersionChange(seen.image_id, seen.number, self.now, self.by, what, note)
        )
        return moved

    def refuse_if_pinned(self, version: Version) -> None:
        """Raise ``VersionPinnedError`` if devices are held to it."""
        if self.records.images.with_id(version.image_id).pinned == version.number:
            raise VersionPinnedError(str(version.name))

    def refuse_if_last(self, seen: Version, after: Version | None) -> None:
        """Raise ``VersionLastError`` if a device that can start now could not any more."""
        image = self.records.images.with_id(seen.image_id)
        before = self.records.versions.of_image(image.id)
        then = [after if one.name == seen.name else one for one in before]
        able = starters(self.records, image, before)
        left = starters(self.records, image, [one for one in then if one is not None])
        stranded = sorted(set(able) - set(left))
        if stranded:
            raise VersionLastError(str(seen.name), [str(name) for name in stranded])


def starters(
    records: Records, image: Image, versions: Iterable[Version]
) -> dict[DeviceName, Version]:
    """Say which version each of the image's devices would start, of those that can."""
    known = tuple(versions)
    chosen = {
        device.name: version_to_start(known, kind_of(device), image.pinned)
        for device in records.devices.with_image(image.id)
    }
    return {name: version for name, version in chosen.items() if version is not None}


def starting(records: Records, image: Image, version: Version) -> Sequence[DeviceName]:
    """Give the devices that would start ``version`` next."""
    versions = records.versions.of_image(image.id)
    found = starters(records, image, versions)
    return sorted(name for name, chosen in found.items() if chosen.name == version.name)
