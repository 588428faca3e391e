"""A version: an immutable state of an image."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NewType

from corral.farm.domain.image.errors import VersionNameInvalidError, VersionTransitionError
from corral.farm.domain.image.image import ImageId, ImageName, image_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from corral.farm.domain.image.root import RootHash

VersionNumber = NewType("VersionNumber", int)


class Access(StrEnum):
    """Who may stream a version."""

    PRODUCTION = "production"


class VersionState(StrEnum):
    """Where a version is in its life.

    There is no state before ``PUBLISHED``: an import that is under way is a lock which its process
    holds, and leaves no trace of a version when that process dies.
    """

    PUBLISHED = "published"
    DELETING = "deleting"
    """No longer offered to anybody; some store may still have it."""
    DELETED = "deleted"
    """Gone from every store; kept so that its number is not given again."""


class VersionEvent(StrEnum):
    """What can happen to a version."""

    DELETE = "delete"
    STORES_CLEARED = "stores-cleared"


_S, _E = VersionState, VersionEvent

TRANSITIONS: Final[Mapping[tuple[VersionState, VersionEvent], VersionState]] = MappingProxyType(
    {
        (_S.PUBLISHED, _E.DELETE): _S.DELETING,
        # A delete that was killed half way is simply asked for again.
        (_S.DELETING, _E.DELETE): _S.DELETING,
        (_S.DELETING, _E.STORES_CLEARED): _S.DELETED,
    }
)


def next_state(state: VersionState, event: VersionEvent) -> VersionState:
    """Give the state after ``event``, refused if the table has no such arrow."""
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        raise VersionTransitionError(state, event) from None


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
    """An immutable state of an image, known by its root."""

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

    @property
    def number(self) -> VersionNumber:
        """Its number within its image, from 1."""
        return self.name.number

    @property
    def is_published(self) -> bool:
        """Whether machines may get it."""
        return self.state is VersionState.PUBLISHED

    def after(self, event: VersionEvent) -> Version:
        """Give the version as it is after ``event``."""
        return replace(self, state=next_state(self.state, event))


def running_version(versions: Iterable[Version]) -> Version | None:
    """Give the one by which devices that run it know it, of versions that all have its root.

    A published one before one that is being deleted, whose sessions go on until the stores are
    cleared.
    """
    kept = (version for version in versions if version.state is not VersionState.DELETED)
    return max(kept, key=lambda version: (version.is_published, version.number), default=None)


def newest_published(versions: Iterable[Version]) -> Version | None:
    """Give the one that a device of the image gets: the highest number, not the latest arrival."""
    published = (version for version in versions if version.is_published)
    return max(published, key=lambda version: version.number, default=None)
