"""Rules of releases and kits that can be broken."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corral.farm.domain.errors import (
    DamagedError,
    EditConflictError,
    EnvironmentFaultError,
    InvalidInputError,
    RefusedError,
    TakenError,
    TryAgainError,
    UnknownThingError,
)

if TYPE_CHECKING:
    from collections.abc import Sequence


class ReleaseInvalidError(InvalidInputError):
    """A release is written as one to six numbers with dots between them, such as `1.4.0`."""

    code = "release-invalid"

    def __init__(self, text: str) -> None:
        super().__init__(f"{text!r} is no release: write numbers with dots, such as 1.4.0")


class ManifestInvalidError(InvalidInputError):
    """A release manifest says exactly what `docs/formats/kit.md` has, each thing once.

    What is unknown is refused rather than ignored: a fact that this farm does not understand may be
    the one that forbids something.
    """

    code = "manifest-invalid"

    def __init__(self, at: str, rule: str) -> None:
        super().__init__(
            f"the release manifest is wrong at {at}: {rule}; correct it, or upgrade this farm if"
            " the manifest was written for a newer one"
        )


class PublisherKeyInvalidError(InvalidInputError):
    """A publisher's public key is a text that `corral kit key` prints.

    It begins with `corral-publisher-` and has 64 hexadecimal digits. The private key stays where
    kits are built.
    """

    code = "publisher-key-invalid"

    def __init__(self, text: str) -> None:
        super().__init__(
            f"{text[:80]!r} is no publisher's public key: 'corral kit key FILE' prints one, which"
            " begins with corral-publisher-"
        )


class PublisherTakenError(TakenError):
    """A publisher has a name and a key of its own."""

    code = "publisher-taken"

    def __init__(self, name: str, other: str) -> None:
        super().__init__(
            f"publisher {name!r} cannot be added: {other!r} has that name or that key already;"
            " 'corral library trust remove' takes it away"
        )


class PublisherUnknownError(UnknownThingError):
    """The farm trusts no publisher of that name."""

    code = "publisher-unknown"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"the farm trusts no publisher {name!r}: 'corral library trust list' shows those that"
            " it does"
        )


class PublisherInUseError(RefusedError):
    """A publisher is trusted for as long as there is a kit of theirs in the library."""

    code = "publisher-in-use"

    def __init__(self, name: str, items: str) -> None:
        super().__init__(
            f"publisher {name!r} signed {items}: 'corral library remove' takes a kit away, then"
            " the publisher can go"
        )


class KitDamagedError(DamagedError):
    """A kit is taken only if every byte of it is what its publisher signed."""

    code = "kit-damaged"

    def __init__(self, path: object, why: str) -> None:
        super().__init__(f"{path} is not a sound kit: {why}; copy it again from where it came from")


class KitUntrustedError(RefusedError):
    """A kit is taken only if a publisher that the farm trusts has signed it.

    `corral kit show FILE` says by which keys it was signed, `corral library trust add` trusts one:
    whoever has that key can then have every computer run what they like.
    """

    code = "kit-untrusted"

    def __init__(self, path: object, keys: str) -> None:
        super().__init__(
            f"{path} was signed by nobody that the farm trusts (keys {keys}): 'corral library trust"
            " add' trusts a publisher's key, if you know whose it is"
        )


class FileOtherKindError(InvalidInputError):
    """What is imported must be of the kind that was asked for."""

    code = "library-other-kind"

    def __init__(self, path: object, wanted: str, why: str) -> None:
        super().__init__(f"{path} is no {wanted}: {why}; 'corral library folder' says what it is")


class FileUnfinishedError(TryAgainError):
    """A file is imported once it is all there and nobody writes it any more."""

    code = "library-file-unfinished"

    def __init__(self, path: object, why: str) -> None:
        super().__init__(f"{path} is not complete: {why}; wait until it is, then import it")


class LibraryFileUnusableError(EnvironmentFaultError):
    """The import folder and its files must be readable where the import runs."""

    code = "library-file-unusable"

    def __init__(self, path: object, why: str) -> None:
        super().__init__(f"{path} cannot be read: {why}; correct that, then try again")


class LibraryFileExistsError(RefusedError):
    """A file of the import folder is never replaced."""

    code = "library-file-exists"

    def __init__(self, path: object) -> None:
        super().__init__(
            f"{path} is there already, or is being uploaded: give the file another name, or have"
            " the old one removed from the import folder first"
        )


class LibraryFolderFullError(TryAgainError):
    """What is uploaded must fit, and leave 1 GiB to others."""

    code = "library-folder-full"

    def __init__(self, folder: object, size_bytes: int) -> None:
        super().__init__(
            f"there is no room for {size_bytes} more bytes in the import folder {folder}, 1 GiB of"
            " which is left to others: make room there, then upload again"
        )


class UploadNameInvalidError(InvalidInputError):
    """A file of the import folder has a plain name."""

    code = "upload-name-invalid"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name!r} cannot be the name of a file in the import folder: up to 200 letters a to z,"
            " digits and . _ + -, a letter or digit first"
        )


class UploadTooLongError(InvalidInputError):
    """An upload has as many bytes as it said it would."""

    code = "upload-too-long"

    def __init__(self, size_bytes: int) -> None:
        super().__init__(f"more came than the {size_bytes} bytes that Content-Length said")


class LibraryFolderUnsetError(RefusedError):
    """What is imported by name comes from the import folder, which the farm has to be told."""

    code = "library-folder-unset"

    def __init__(self) -> None:
        super().__init__(
            "the farm has no import folder: 'corral library folder --set DIR' names one, or give"
            " the whole path of the file"
        )


class LibraryFolderInvalidError(InvalidInputError):
    """The import folder is named by an absolute path: a worker stands in no folder of yours."""

    code = "library-folder-invalid"

    def __init__(self, text: str) -> None:
        super().__init__(f"{text!r} cannot be the import folder: write an absolute path")


class ItemUnknownError(UnknownThingError):
    """The library has nothing of that name."""

    code = "library-item-unknown"

    def __init__(self, name: str) -> None:
        super().__init__(f"the library has no {name!r}: 'corral library list' shows what it has")


class ItemTakenError(TakenError):
    """The library has each release of a component once, and each name once."""

    code = "library-item-taken"

    def __init__(self, name: str, state: str) -> None:
        super().__init__(
            f"the library has {name!r} already ({state}): 'corral library remove {name}' takes it"
            " away, if another one is to have its place"
        )


class ItemTransitionError(RefusedError):
    """What is in the library moves only as the table in ``domain.library.item`` says."""

    code = "library-item-transition"

    def __init__(self, name: str, state: str, event: str, allowed: Sequence[str]) -> None:
        super().__init__(
            f"{name!r} is {state} in the library and cannot take '{event}'; possible is:"
            f" {', '.join(allowed) or 'nothing'}"
        )


class ItemNotAvailableError(RefusedError):
    """Nothing is given to anybody before it is in the library as a whole."""

    code = "library-item-not-available"

    def __init__(self, name: str, state: str, problem: str) -> None:
        super().__init__(
            f"{name!r} is {state} in the library{': ' + problem if problem else ''}; it can be"
            " given to computers once it is available ('corral library show')"
        )


class ItemChangedError(EditConflictError):
    """Somebody else changed or removed it meanwhile."""

    code = "library-item-changed"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name!r} was changed or removed by somebody else in the meantime, nothing was"
            " written: look at it with 'corral library list' and try again"
        )


class KitKeyUnusableError(EnvironmentFaultError):
    """A publisher's private key is a file that only its owner can read."""

    code = "kit-key-unusable"

    def __init__(self, path: object, why: str) -> None:
        super().__init__(
            f"the publisher's key {path} cannot be used: {why}; 'corral kit key FILE' makes one"
        )


class KitSourceInvalidError(InvalidInputError):
    """A kit is built of files of one folder, and of a release manifest that fits them."""

    code = "kit-source-invalid"

    def __init__(self, path: object, why: str) -> None:
        super().__init__(f"no kit can be built of {path}: {why}")


class KitExistsError(TakenError):
    """A kit that was built is not overwritten."""

    code = "kit-exists"

    def __init__(self, path: object) -> None:
        super().__init__(f"{path} is there already: choose another name, or remove it")


class ItemInUseError(RefusedError):
    """What a computer or the farm is given, or what is rolled out, stays in the library."""

    code = "library-item-in-use"

    def __init__(self, name: str, uses: str) -> None:
        super().__init__(
            f"{name!r} is given to {uses}: 'corral library unassign' takes a kit from computers,"
            " 'corral rollout remove' ends a rollout, and an upgrade ends by finalising or going"
            " back; then it can be removed"
        )


class ItemNotForComputersError(InvalidInputError):
    """A computer is given kits of the engine: it installs nothing else."""

    code = "library-item-not-for-computers"

    def __init__(self, name: str, what: str) -> None:
        super().__init__(
            f"{name!r} is {what}, and computers are given kits of the engine: 'corral library list'"
            " shows what there is"
        )


class KitForbiddenError(RefusedError):
    """A computer is not given a kit that its engine could not follow, or that would not help it."""

    code = "kit-forbidden"

    def __init__(self, name: str, computer: str, why: str) -> None:
        super().__init__(f"{name!r} cannot be given to {computer!r}: {why}")


class KitAssignmentUnknownError(UnknownThingError):
    """The computer was given no kit, or another one."""

    code = "kit-assignment-unknown"

    def __init__(self, computer: str) -> None:
        super().__init__(
            f"{computer!r} was not given that kit: 'corral library computers' shows who was"
        )


class KitAssignmentChangedError(EditConflictError):
    """Somebody else gave the computer another kit, or took it away, meanwhile."""

    code = "kit-assignment-changed"

    def __init__(self) -> None:
        super().__init__(
            "somebody else changed which kit that computer is given, nothing was written: look"
            " again with 'corral library computers', then repeat your change"
        )
