"""A version: an immutable state of an image."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NewType

from corral.farm.domain.image.errors import VersionNameInvalidError
from corral.farm.domain.image.image import ImageId, ImageName, image_name
from corral.farm.domain.image.standing import Standing, VersionEvent, next_standing

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from corral.farm.domain.image.root import RootHash

VersionNumber = NewType("VersionNumber", int)

IMAGE_FORMAT: Final = 1
"""What this release of the farm publishes; a release that publishes another says another."""


class Access(StrEnum):
    """Which devices may start a version; also what a device's own type is."""

    MAINTENANCE = "maintenance"
    TEST = "test"
    PRODUCTION = "production"


class VersionState(StrEnum):
    """Where a version is in its life, as it is recorded; :class:`Standing` is the whole of it.

    There is no state before ``PUBLISHED``: an import that is under way is a lock which its process
    holds, and leaves no trace of a version when that process dies.
    """

    PUBLISHED = "published"
    RETIRED = "retired"
    DELETING = "deleting"
    DELETED = "deleted"


@dataclass(frozen=True, order=True)
class VersionName:
    """What people and the wire call a version: ``image/number``. Also the name of its export."""

    image: ImageName
    number: VersionNumber

    @classmethod
    def parse(cls, text: str) -> VersionName:
        """Read ``debian/3``."""
        image, slash, number = text.partition("/")
        if not slash or not (number.isascii() and number.isdecimal()) or int(number) < 1:
            raise VersionNameInvalidError(text)
        return cls(image_name(image), VersionNumber(int(number)))

    def __str__(self) -> str:
        return f"{self.image}/{self.number}"


@dataclass(frozen=True)
class Version:
    """An immutable state of an image, known by its root; only its standing and text change."""

    image_id: ImageId
    name: VersionName
    root: RootHash
    size_bytes: int
    signature: bytes
    """Ed25519 signature of the root by the farm's key (64 bytes)."""
    published_at: datetime
    description: str = ""
    access: Access = Access.PRODUCTION
    state: VersionState = VersionState.PUBLISHED
    release_at: datetime | None = None
    """The date before which it is not released; none if only the servers are waited for."""
    released_at: datetime | None = None
    """When its release was seen to be due; what was released once does not become pending again."""
    changed_at: datetime | None = None
    changed_by: str = ""
    revision: int = 1
    image_format: int = IMAGE_FORMAT
    """How a machine has to be made of it; an engine says which of these it can run."""
    published_with: str = ""
    """The release of the farm that published it; nothing of those from before this was kept."""
    guest_tools: str | None = None
    """The release of the guest tools in it, if somebody said."""

    @property
    def number(self) -> VersionNumber:
        """Its number within its image, from 1."""
        return self.name.number

    @property
    def is_published(self) -> bool:
        """Whether servers hold it and offer it; devices may run it, if not start it."""
        return self.state in (VersionState.PUBLISHED, VersionState.RETIRED)

    @property
    def standing(self) -> Standing:
        """Where it stands as far as is recorded: a release that is due may not be yet."""
        if self.state is not VersionState.PUBLISHED:
            return Standing(self.state.value)
        if self.access is Access.PRODUCTION and self.released_at is None:
            return Standing.PENDING
        return Standing(self.access.value)

    def after(self, event: VersionEvent) -> Version:
        """Give the version as it is after ``event``, without what only some events know."""
        before, standing = self.standing, next_standing(self.standing, event)
        if standing in _OF_STATE:
            return replace(self, state=_OF_STATE[standing])
        access = _OF_ACCESS[standing]
        if before is Standing.PENDING and access is Access.PRODUCTION:
            return self
        return replace(
            self, access=access, state=VersionState.PUBLISHED, release_at=None, released_at=None
        )

    def promoted(self, release_at: datetime | None) -> Version:
        """Give the version as it is once it waits for its release to production."""
        return replace(self.after(VersionEvent.PROMOTE_TO_PRODUCTION), release_at=release_at)

    def scheduled(self, release_at: datetime | None) -> Version:
        """Give the version with another date for the release that it waits for."""
        return replace(self.after(VersionEvent.SCHEDULE), release_at=release_at)

    def released(self, now: datetime) -> Version:
        """Give the version as it is from its release on."""
        return replace(self.after(VersionEvent.RELEASE), released_at=now)

    def changed(self, by: str, now: datetime) -> Version:
        """Give the version with the mark of who changed it last."""
        return replace(self, changed_by=by, changed_at=now, revision=self.revision + 1)


_OF_STATE: Final[Mapping[Standing, VersionState]] = MappingProxyType(
    {
        Standing.RETIRED: VersionState.RETIRED,
        Standing.DELETING: VersionState.DELETING,
        Standing.DELETED: VersionState.DELETED,
    }
)
_OF_ACCESS: Final[Mapping[Standing, Access]] = MappingProxyType(
    {
        Standing.MAINTENANCE: Access.MAINTENANCE,
        Standing.TEST: Access.TEST,
        Standing.PENDING: Access.PRODUCTION,
        Standing.PRODUCTION: Access.PRODUCTION,
    }
)


def running_version(versions: Iterable[Version]) -> Version | None:
    """Give the one by which devices that run it know it, of versions that all have its root.

    A published one before one that is being deleted, whose sessions go on until the stores are
    cleared.
    """
    kept = (version for version in versions if version.state is not VersionState.DELETED)
    return max(kept, key=lambda version: (version.is_published, version.number), default=None)


def newest_published(versions: Iterable[Version]) -> Version | None:
    """Give the one on which the next is built: the highest number, whoever may start it."""
    published = (version for version in versions if version.state is VersionState.PUBLISHED)
    return max(published, key=lambda version: version.number, default=None)
