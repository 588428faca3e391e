"""The rules of moving versions between those who may start them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corral.farm.domain.errors import (
    EditConflictError,
    InvalidInputError,
    RefusedError,
    TryAgainError,
)
from corral.farm.domain.naming import some_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime


class ReleaseTimeInvalidError(InvalidInputError):
    """A release is scheduled for a moment that everybody reads alike: date, time and zone."""

    code = "release-time-invalid"

    def __init__(self, text: str) -> None:
        super().__init__(
            f"{text!r} is no moment for a release: write date, time and zone,"
            " such as 2026-12-01T20:00+01:00"
        )


class ReleaseInPastError(InvalidInputError):
    """A release is scheduled for a moment to come."""

    code = "release-in-past"

    def __init__(self, name: str, at: datetime, now: datetime) -> None:
        super().__init__(
            f"{name!r} cannot be released at {at.isoformat()}, it is {now.isoformat()} already:"
            " name a moment to come, or none to release it as soon as the servers have it"
        )


class VersionNotNewestError(RefusedError):
    """Only the newest version of an image is reverted: a device never starts an older one."""

    code = "version-not-newest"

    def __init__(self, name: str, newest: str) -> None:
        super().__init__(
            f"{name!r} is not reverted, {newest!r} is newer: revert that one first, retire"
            f" {name!r}, or pin the version that devices should start"
        )


class VersionNotReleasedError(RefusedError):
    """Only a released version is pinned: every device must be able to start it."""

    code = "version-not-released"

    def __init__(self, name: str, standing: str) -> None:
        super().__init__(
            f"{name!r} is {standing} and cannot be pinned: promote it to production first, and"
            f" 'corral image show {name.partition('/')[0]}' says what its release waits for"
        )


class VersionPinnedError(RefusedError):
    """What devices are held to by a pin stays in production until the pin is taken off."""

    code = "version-pinned"

    def __init__(self, name: str) -> None:
        image = name.partition("/")[0]
        super().__init__(
            f"{name!r} is pinned: 'corral image unpin {image}', or pin another version first"
        )


class VersionStartedError(RefusedError):
    """A version that devices would start next is not deleted under them."""

    code = "version-started"

    def __init__(self, name: str, devices: Sequence[str]) -> None:
        super().__init__(
            f"{name!r} is what {', '.join(devices)} would start next: revert or retire it, or pin"
            " another version, so that they start that one; then delete it"
        )


class VersionOrderedError(RefusedError):
    """A version that computers are to have is not deleted under them."""

    code = "version-ordered"

    def __init__(self, name: str, computers: Sequence[str]) -> None:
        super().__init__(
            f"{name!r} is what {some_of(computers)} should have, or run while it may still be"
            " arriving: release or pin another version, or take the image from their users, and"
            " delete it once they were heard of; what has arrived on them stays there"
        )


class VersionWaitsError(TryAgainError):
    """A device starts a version only once it is released."""

    code = "version-waits"

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(
            f"{name!r} is not released yet, and the device may start no other ({reason});"
            f" 'corral image release {name}' waits no longer"
        )


class ImageChangedError(EditConflictError):
    """Somebody else changed the image between this command's look and its write."""

    code = "image-changed"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"image {name!r} was changed by another command in the meantime, nothing was written:"
            " look at it again and repeat the command"
        )
