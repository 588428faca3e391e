"""Rules of republishing that can be broken."""

from __future__ import annotations

from corral.farm.domain.errors import RefusedError


class RepublishNeedlessError(RefusedError):
    """Only an image that is marked "republish needed" is republished.

    It is marked if somebody said which guest tools are in its newest version, and they are older
    than those of the release in force. A custom image is not: its device goes on with its own disk.
    """

    code = "republish-needless"

    def __init__(self, image: str, why: str) -> None:
        super().__init__(
            f"image {image!r} does not have to be republished: {why}; 'corral image republish"
            " --dry-run' shows those that do"
        )


class RepublishUnderWayError(RefusedError):
    """An image is republished by one task at a time."""

    code = "republish-under-way"

    def __init__(self, image: str, task: int) -> None:
        super().__init__(
            f"image {image!r} is being republished by task {task}: 'corral task watch {task}'"
            f" follows it, 'corral task cancel {task}' ends it"
        )


class RepublishTooEarlyError(RefusedError):
    """Images are republished after an upgrade: while it can be gone back from, none is.

    The release to go back to would not know of the tasks that do it.
    """

    code = "republish-too-early"

    def __init__(self, image: str, upgrade: int, state: str) -> None:
        super().__init__(
            f"image {image!r} is not republished while upgrade {upgrade} is {state}: finish it"
            " ('corral upgrade finalise'), or take it back ('corral upgrade roll-back'), first"
        )


class GuestToolsMissingError(RefusedError):
    """Guest tools come out of a kit in the library: its file `guest-tools-RELEASE.img`."""

    code = "guest-tools-missing"

    def __init__(self, release: str) -> None:
        super().__init__(
            f"no kit in the library brings guest tools {release}: import one that has the file"
            f" guest-tools-{release}.img, with 'corral library import'"
        )


class GuestToolsNotInstalledError(RefusedError):
    """An image is only published anew if its guest has the new guest tools, and comes up with them.

    Nothing was published. What the guest itself says of its installation is in the message.
    """

    code = "guest-tools-not-installed"

    def __init__(self, image: str, why: str) -> None:
        super().__init__(
            f"image {image!r} was not republished: {why}; correct that and try it again, or install"
            f" them in it yourself, with 'corral image maintain {image}'"
        )
