"""Rules of backups that can be broken."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corral.farm.domain.errors import (
    DamagedError,
    DeniedError,
    EditConflictError,
    EnvironmentFaultError,
    InvalidInputError,
    RefusedError,
    TakenError,
    TryAgainError,
    UnknownThingError,
)

if TYPE_CHECKING:
    from pathlib import Path


class BackupUnsetError(RefusedError):
    """The farm has not been told where its backups go, or for whom they are encrypted.

    `corral backup set --to DIR --recipient RECIPIENT` tells it; `corral backup key FILE` makes a
    key and prints its recipient.
    """

    code = "backup-unset"

    def __init__(self, what: str) -> None:
        super().__init__(
            f"the farm has no {what} for backups: 'corral backup set --to DIR --recipient"
            " RECIPIENT', where 'corral backup key FILE' makes a key and prints its recipient"
        )


class BackupUnreadError(EnvironmentFaultError):
    """A backup that this release restores must be read by the next one's own programs, too.

    They are laid out beside a scratch farm, expand its schema, and read every record.
    """

    code = "backup-not-read"

    def __init__(self, release: str, reason: str) -> None:
        super().__init__(
            f"the programs of release {release} could not read the backup: {reason}. Nothing was"
            " changed; do not upgrade to that release before it can"
        )


class BackupFolderInvalidError(InvalidInputError):
    """Backups go to a folder named by an absolute path: a worker stands in no folder of yours."""

    code = "backup-folder-invalid"

    def __init__(self, text: str) -> None:
        super().__init__(f"{text!r} cannot be where backups go: write an absolute path")


class RecipientInvalidError(InvalidInputError):
    """Backups are encrypted for recipients of the tool age, of the kind that begins with `age1`.

    `corral backup key FILE` makes a key and prints its recipient. What begins with
    `AGE-SECRET-KEY` is the key itself and belongs in no command.
    """

    code = "backup-recipient-invalid"

    def __init__(self, why: str) -> None:
        super().__init__(
            f"this is no recipient of backups: {why}; 'corral backup key FILE' makes a key and"
            " prints its recipient, which begins with age1"
        )


class RetentionInvalidError(InvalidInputError):
    """A roll-up keeps 1 to 1,000 daily, and 0 to 1,000 weekly and monthly backups."""

    code = "backup-retention-invalid"

    def __init__(self, what: str, given: int, least: int, most: int) -> None:
        super().__init__(f"{given} {what} cannot be: choose {least} to {most}")


class BackupRulesChangedError(EditConflictError):
    """Where backups go is changed by one person at a time; the second looks again."""

    code = "backup-rules-changed"

    def __init__(self) -> None:
        super().__init__(
            "the rules of backups were changed by somebody else since you looked: look again with"
            " 'corral backup set', then repeat your change if it still makes sense"
        )


class BackupUnknownError(UnknownThingError):
    """No backup has that name, or there is no such file. `corral backup list` lists them."""

    code = "backup-unknown"

    def __init__(self, name: str) -> None:
        super().__init__(f"there is no backup {name}: 'corral backup list' lists them")


class BackupFolderUnusableError(EnvironmentFaultError):
    """A file of a backup cannot be written or read: the message has the system's reason."""

    code = "backup-folder-unusable"

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(
            f"{path} is of no use for backups: {reason}. Mount it, make room, or give the farm's"
            " account the right to it"
        )


class BackupDamagedError(DamagedError):
    """The file is no whole backup: it was cut off, changed, or something else from the beginning.

    Nothing of it is used. Take another one: `corral backup list` lists them.
    """

    code = "backup-damaged"

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(
            f"{path} is no whole backup: {reason}. Nothing of it was used; take another"
        )


class BackupUnsoundError(DamagedError):
    """The backup can be read, but what it holds does not belong together.

    Such as a signing key that is not the farm's, or a version whose root the farm has not signed.
    It would restore a farm that does not work.
    """

    code = "backup-unsound"

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path} does not hold a farm that works: {reason}. Take another backup")


class BackupNewerError(EnvironmentFaultError):
    """A newer release of Corral has written the backup. Restore it with that release."""

    code = "backup-newer"

    def __init__(self, path: Path, what: str) -> None:
        super().__init__(
            f"{path} was written by a newer release of Corral ({what}): use that release"
        )


class BackupKeyWrongError(DeniedError):
    """The key is not one that the backup was encrypted for."""

    code = "backup-key-wrong"

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path} was encrypted for other keys than this one: give the key whose recipient the"
            " farm had then"
        )


class BackupKeyUnusableError(InvalidInputError):
    """The file holds no key of backups, cannot be read, or others than its owner can read it."""

    code = "backup-key-unusable"

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(
            f"{path} cannot be used as a key of backups: {reason}; 'corral backup key FILE' makes"
            " one, with permissions 0600"
        )


class BackupKeyTakenError(TakenError):
    """A key is never written over a file that is there: it may be the only one of its kind."""

    code = "backup-key-taken"

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} is there already: choose another name for the new key")


class PassphraseWrongError(DeniedError):
    """The key is kept under a passphrase, and this is not it."""

    code = "backup-passphrase-wrong"

    def __init__(self, path: Path) -> None:
        super().__init__(f"the passphrase of {path} is another one: try again")


class RestoreTargetTakenError(TakenError):
    """A farm is restored to a new or empty folder, and to an empty database.

    Nothing that is there is ever written over: move it away, or choose another place.
    """

    code = "restore-target-taken"

    def __init__(self, what: str) -> None:
        super().__init__(
            f"{what} is not empty: a farm is restored to a new place only; move away what is there"
            " or choose another"
        )


class FarmObservesError(TryAgainError):
    """The farm was restored from a backup, and nobody has accepted yet what differs.

    Until then it takes nothing away from servers, gives computers no orders, and refuses what would
    change either. `corral farm difference` shows what the backup says, what the farm had said since
    and what is so; `corral farm accept --because TEXT` ends it. A server's stream process of a
    release that cannot observe is given no configuration, and goes on with the one that it has.
    """

    code = "farm-observes"

    def __init__(self) -> None:
        super().__init__(
            "the farm was restored from a backup and only observes until somebody accepts what"
            " differs: 'corral farm difference' shows it, 'corral farm accept --because TEXT' ends"
            " it"
        )


class FarmNotRestoredError(RefusedError):
    """Only a farm that was restored from a backup has something that differs from it."""

    code = "farm-not-restored"

    def __init__(self) -> None:
        super().__init__("the farm was never restored from a backup: nothing can differ from one")


class NothingToAcceptError(RefusedError):
    """What differed was accepted already, and nothing else was found since."""

    code = "nothing-to-accept"

    def __init__(self, by: str) -> None:
        super().__init__(
            f"there is nothing to accept: {by} accepted what differed, and servers have shown"
            " nothing else since"
        )


class DifferenceChangedError(EditConflictError):
    """Something else differs than was looked at: look again, then accept that.

    `corral farm difference` ends with a word for what it shows, which `corral farm accept --seen`
    takes.
    """

    code = "difference-changed"

    def __init__(self) -> None:
        super().__init__(
            "something else differs by now than you have seen: look at 'corral farm difference'"
            " again, then accept that"
        )


class AcceptanceReasonMissingError(InvalidInputError):
    """Who accepts what a restored farm lacks says why, for those who read the audit log."""

    code = "acceptance-reason-missing"

    def __init__(self) -> None:
        super().__init__("say why you accept it, for those who read the audit log: --because TEXT")
