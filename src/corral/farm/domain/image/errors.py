"""The rules of images, versions, disk files and stores that can be broken."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corral.farm.domain.errors import (
    DamagedError,
    DomainError,
    EditConflictError,
    EnvironmentFaultError,
    InvalidInputError,
    RefusedError,
    TakenError,
    TryAgainError,
    UnknownThingError,
)
from corral.farm.domain.naming import some_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from corral.farm.domain.image.root import RootHash


class ImageUnknownError(UnknownThingError):
    """The farm has no image of that name."""

    code = "image-unknown"

    def __init__(self, name: str) -> None:
        super().__init__(f"the farm has no image {name!r}: 'corral image list' shows those it has")


class ImageNameTakenError(TakenError):
    """A new image needs a name that no other image has."""

    code = "image-name-taken"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"the farm has an image {name!r} already: choose another name, or import without --new"
            " to publish the next version of it"
        )


class ImageInUseError(RefusedError):
    """An image is removed only when nothing of it is left, and no device is to start from it."""

    code = "image-in-use"

    def __init__(self, name: str, users: Sequence[str]) -> None:
        super().__init__(
            f"image {name!r} still has {some_of(users)}: delete its versions with 'corral image"
            " delete IMAGE/NUMBER', give up what devices wrote with 'corral image discard' or"
            " 'corral device reset-cache', and take it from its devices with 'corral device"
            " unassign', first"
        )


class ImageBusyError(TryAgainError):
    """One import or delete works on an image at a time."""

    code = "image-busy"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"another command is importing into or deleting from image {name!r}:"
            " wait until it has ended, then try again"
        )


class VersionNameInvalidError(InvalidInputError):
    """A version is named by its image and its number, such as ``debian/3``."""

    code = "version-name-invalid"

    def __init__(self, text: str) -> None:
        super().__init__(f"{text!r} does not name a version: write image/number, such as debian/3")


class VersionUnknownError(UnknownThingError):
    """The image has no published version of that number."""

    code = "version-unknown"

    def __init__(self, name: str) -> None:
        image = name.partition("/")[0]
        super().__init__(
            f"there is no published version {name!r}:"
            f" 'corral image show {image}' lists the versions of the image"
        )


class VersionTransitionError(RefusedError):
    """A version is moved only as the table in ``domain.image.standing`` says."""

    code = "version-transition"

    def __init__(self, standing: str, event: str, allowed: Sequence[str] = ()) -> None:
        possible = ", ".join(allowed) or "nothing"
        super().__init__(
            f"a version in standing '{standing}' cannot take '{event}'; possible is: {possible}."
            " 'corral image show' says where each version stands"
        )


class VersionChangedError(EditConflictError):
    """Somebody else changed the image between this command's look and its write."""

    code = "version-changed"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name!r} was changed by another command in the meantime, nothing was written:"
            " look at it again and repeat the command"
        )


class RootBeingRemovedError(TryAgainError):
    """What a server was told to remove is not published there until it says that it has."""

    code = "root-being-removed"

    def __init__(self, root: RootHash, server: str) -> None:
        super().__init__(
            f"server {server!r} is still to remove the deleted content {root.short}, nothing was"
            " published: start that server and import again when it has reported, or import into"
            " another server with --server"
        )


class CopyLeavesError(TryAgainError):
    """A copy that a server was told to let go is wanted there again once it is gone."""

    code = "copy-leaves"

    def __init__(self, version: str, server: str) -> None:
        super().__init__(
            f"server {server!r} is just letting its copy of {version} go: its store holds enough"
            " without it: ask again when 'corral replication status' no longer shows it, or raise"
            " the policy with 'corral replication policy'"
        )


class VersionStreamedError(RefusedError):
    """A version is not deleted while a session streams it."""

    code = "version-streamed"

    def __init__(self, name: str, devices: Sequence[str]) -> None:
        super().__init__(
            f"{name!r} is being streamed ({', '.join(devices)}): shut these devices down or let"
            " them restart on another version; 'corral status' shows who streams what"
        )


class VersionLastError(RefusedError):
    """The last published version of an image stays while a device is assigned to the image."""

    code = "version-last"

    def __init__(self, name: str, devices: Sequence[str]) -> None:
        super().__init__(
            f"{name!r} is the only version that {', '.join(devices)} could start from:"
            " publish another version, assign another image, or 'corral device unassign', first"
        )


class VersionNotHeldError(RefusedError):
    """The server's store does not hold the version completely."""

    code = "version-not-held"

    def __init__(self, name: str, server: str | None) -> None:
        if server is None:
            super().__init__(
                f"no server holds {name!r} completely: 'corral image show"
                f" {name.partition('/')[0]}' says how far each has got; if none gets there, import"
                " the disk again"
            )
            return
        super().__init__(
            f"server {server!r} does not hold {name!r} completely:"
            f" 'corral image replicate {name} --to {server}' brings it there"
        )


class SignatureWrongError(DamagedError):
    """The farm's signature of a version's root must match; otherwise nobody vouches for it."""

    code = "signature-wrong"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"the signature of {name!r} is not this farm's: its record was altered."
            " Do not use it; restore the database or import the image again"
        )


class VersionDamagedError(DamagedError):
    """Chunks of the version are missing or do not match their names."""

    code = "version-damaged"

    def __init__(self, name: str, server: str) -> None:
        super().__init__(
            f"{name!r} is damaged in the store of server {server!r}:"
            f" 'corral store heal {server}' fetches sound chunks from the other servers"
        )


class DiskNotAnImageError(InvalidInputError):
    """The file is not a disk image in a format that Corral reads."""

    code = "disk-not-an-image"

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(
            f"{path} is not a disk image: {reason}."
            " Corral reads raw, qcow2, VHD, VHDX, VMDK and VDI; a raw disk that has no mark is"
            " named with --format raw"
        )


class DiskDamagedError(DamagedError):
    """The disk image is truncated or inconsistent, so that its content cannot be trusted."""

    code = "disk-damaged"

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(
            f"{path} is damaged: {reason}. Copy it again from where it came from;"
            " nothing was published"
        )


class DiskBackingMissingError(InvalidInputError):
    """A disk image that builds on another needs that other one beside it."""

    code = "disk-backing-missing"

    def __init__(self, path: Path, backing: str) -> None:
        super().__init__(
            f"{path} builds on {backing}, which is not there: put it back,"
            " or flatten the image with 'qemu-img convert' where both are"
        )


class DiskBackingOutsideError(InvalidInputError):
    """A disk image may build only on files in its own folder, lest it publish others."""

    code = "disk-backing-outside"

    def __init__(self, path: Path, backing: str) -> None:
        super().__init__(
            f"{path} builds on {backing}, which is not in its own folder: put both in one folder,"
            " or flatten the image with 'qemu-img convert' where it was made"
        )


class DiskUnreadableError(EnvironmentFaultError):
    """The disk image could not be read, or the exported file could not be written."""

    code = "disk-unreadable"

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path} could not be read or written: {reason}")


class DiskTooLargeError(RefusedError):
    """A disk must fit into what a store can hold."""

    code = "disk-too-large"

    def __init__(self, path: Path, size_bytes: int, limit_bytes: int) -> None:
        super().__init__(
            f"{path} is a disk of {size_bytes} bytes, and the store can hold {limit_bytes}:"
            " shrink the disk or give the server a larger store"
        )


class ExportExistsError(TakenError):
    """An export never overwrites a file unless it is told to."""

    code = "export-exists"

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} exists already: choose another file, or add --overwrite")


class StoreFullError(RefusedError):
    """The file system under the store has too little space left; nothing was published."""

    code = "store-full"

    def __init__(self, path: Path, missing_bytes: int | None) -> None:
        amount = "space" if missing_bytes is None else f"{missing_bytes} bytes"
        super().__init__(
            f"the store {path} lacks {amount}, nothing was published:"
            " free that much there, then repeat the command; what was stored already is used again"
        )


class StoreNotAStoreError(InvalidInputError):
    """The folder is neither a store nor empty, or cannot be one."""

    code = "store-not-a-store"

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path} cannot be used as a store: {reason}. Name an empty or new folder")


class MediumEmptyError(UnknownThingError):
    """No version was ever put on a medium."""

    code = "medium-empty"

    def __init__(self, folder: Path) -> None:
        super().__init__(
            f"there are no versions on {folder}: put some on it with"
            f" 'corral media seed {folder} VERSION'"
        )


class StoreOtherFarmError(RefusedError):
    """A store folder belongs to the farm that made it."""

    code = "store-other-farm"

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path} is the store of another farm: name a folder of its own for this server"
        )


class StoreNewerError(EnvironmentFaultError):
    """A store whose format a newer release has written is not touched by an older one."""

    code = "store-newer"

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path} was written by a newer release of Corral: use that release or a newer one"
        )


class StoreUnreachableError(EnvironmentFaultError):
    """The store folder could not be read or written."""

    code = "store-unreachable"

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(
            f"the store {path} cannot be used: {reason}."
            " Check that the folder is there on this machine and that you may write to it"
        )


class StoreDamagedError(DamagedError):
    """Damaged chunks were found, and some could not be replaced from another server."""

    code = "store-damaged"

    def __init__(self, path: Path, damaged_chunks: int) -> None:
        super().__init__(
            f"{damaged_chunks} chunks of the store {path} are damaged, and no other server had"
            " sound ones: start the other servers and heal again, or import the image again"
        )


class StoreNeedsHealingError(DamagedError):
    """It cannot be known which chunks the versions of a store need: some of them are damaged."""

    code = "store-needs-healing"

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(
            f"nothing of the store {path} was freed: {reason};"
            " 'corral store heal SERVER' first, then collect again"
        )


class WorkCancelledError(DomainError):
    """The work was cancelled by the person who started it; the message says what is left of it."""

    code = "cancelled"

    def __init__(self, what: str, left: str = "") -> None:
        left = left or "nothing was published; start it again to go on"
        super().__init__(f"{what} was cancelled: {left}")

    @classmethod
    def of_watching(cls, what: str) -> WorkCancelledError:
        """Give the error of one who only watched what servers and devices do."""
        return cls(
            f"watching {what}",
            "it goes on by itself, and 'corral replication status', 'corral image list' and"
            " 'corral status' say how far it is",
        )


class ReplicaStuckError(TryAgainError):
    """A server cannot fetch a version by itself."""

    code = "replica-stuck"

    def __init__(self, name: str, server: str, problem: str) -> None:
        super().__init__(
            f"server {server!r} cannot fetch {name!r}: {problem or 'it gave no reason'}."
            " It tries again by itself once the cause is gone"
        )
