"""The rules of the estate that can be broken."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corral.farm.domain.errors import (
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

    from corral.farm.domain.estate.farm import FarmName
    from corral.farm.domain.estate.server import ServerName


class FarmUnknownError(UnknownThingError):
    """The folder (or database) holds no farm."""

    code = "farm-unknown"

    def __init__(self, where: str) -> None:
        super().__init__(
            f"there is no farm in {where}: name its folder with --farm or CORRAL_FARM,"
            " or make one with 'corral farm create'"
        )


class FarmExistsError(TakenError):
    """A folder (or database) holds one farm; a second is never made over it."""

    code = "farm-exists"

    def __init__(self, name: FarmName) -> None:
        super().__init__(
            f"there is a farm here already, {name!r}: name another folder with --farm,"
            " or another database with --database"
        )


class FarmNewerError(EnvironmentFaultError):
    """A database from which a newer release has taken what an older one needs is closed to that."""

    code = "farm-newer"

    def __init__(self, revision: str) -> None:
        super().__init__(
            f"the farm's database is at revision {revision}, on which this release cannot work:"
            " use the release that made it, or a newer one"
        )


class FarmDatabaseError(EnvironmentFaultError):
    """The farm's database cannot be used: it is locked, damaged, or out of reach."""

    code = "farm-database"

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"the farm's database cannot be used: {reason}; nothing was changed by this command."
            " Check the database, the farm folder's disk and permissions, then try again"
        )


class DatabaseUrlInvalidError(InvalidInputError):
    """A database is named by a URL that holds no password."""

    code = "database-url-invalid"

    @classmethod
    def because_unreadable(cls) -> DatabaseUrlInvalidError:
        """Say that it is none."""
        return cls(
            "this is not the URL of a PostgreSQL database: write it as"
            " postgresql://USER@HOST/DATABASE, or postgresql://USER@HOST1,HOST2/DATABASE"
        )

    @classmethod
    def because_secret(cls) -> DatabaseUrlInvalidError:
        """Say that its password would be kept and shown."""
        return cls(
            "the URL of a database must not hold a password, which others would see:"
            " put it into ~/.pgpass (mode 0600), a service file, or a file named by PGPASSFILE"
        )


class FarmDatabaseUnreachableError(TryAgainError):
    """No server of the farm's database answers, or none that takes changes."""

    code = "farm-database-unreachable"

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"the farm's database cannot be reached: {reason}; nothing was changed by this step."
            " Start it, or correct the host in the farm's settings, then try again"
        )


class FarmDatabaseLostError(TryAgainError):
    """The connection to the farm's database broke in the middle of a change or a look."""

    code = "farm-database-lost"

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"the connection to the farm's database broke: {reason}; the change is there whole or"
            " not at all. Look whether it is, then try again"
        )


class FarmDatabaseBusyError(TryAgainError):
    """Somebody else holds the farm's database for longer than anybody should."""

    code = "farm-database-busy"

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"the farm's database is busy: {reason}; nothing was changed by this step. Try again"
        )


class FarmDatabaseDeniedError(EnvironmentFaultError):
    """The farm's database does not let this user in, or not do what a farm does."""

    code = "farm-database-denied"

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"the farm's database refuses: {reason}. The password comes from ~/.pgpass, a service"
            " file, PGPASSFILE or PGPASSWORD; the user must own the database"
        )


class FarmDatabaseMissingError(EnvironmentFaultError):
    """The database server has no database of that name."""

    code = "farm-database-missing"

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"the farm's database is not there: {reason}. Make it with 'createdb --owner USER NAME'"
            " on the database server, or correct its name"
        )


class FarmFolderTakenError(TakenError):
    """The records of a farm stay in the database that it was made with."""

    code = "farm-folder-taken"

    def __init__(self, folder: Path) -> None:
        super().__init__(
            f"{folder} is the folder of a farm that has another database:"
            " name another folder with --farm"
        )


class FarmSettingsUnusableError(EnvironmentFaultError):
    """The settings file in the farm's folder must be readable, and of a format that is known."""

    code = "farm-settings-unusable"

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(
            f"the farm's settings {path} cannot be used: {reason};"
            " restore the file from the backup of the farm folder"
        )


class FarmKeyUnusableError(EnvironmentFaultError):
    """The farm's signing key must be readable by its owner only, and be the key of this farm."""

    code = "farm-key-unusable"

    def __init__(self, path: Path | str, reason: str) -> None:
        super().__init__(
            f"the farm's signing key {path} cannot be used: {reason};"
            " restore it from the backup of the farm folder, with permissions 0600"
        )


class ProgramMissingError(EnvironmentFaultError):
    """A program or package that the command needs is not installed on this machine."""

    code = "program-missing"

    def __init__(self, program: str, needed_for: str, install: str) -> None:
        super().__init__(f"{program} is needed to {needed_for} and is not installed: {install}")


class ServerUnknownError(UnknownThingError):
    """The farm has no server of that name."""

    code = "server-unknown"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"the farm has no server {name!r}: 'corral server list' shows those it has"
        )


class ServerNameTakenError(TakenError):
    """The name of a server is unique in its farm."""

    code = "server-name-taken"

    def __init__(self, name: ServerName) -> None:
        super().__init__(f"the farm has a server {name!r} already: choose another name")


class ServerChangedError(EditConflictError):
    """A server is changed by one person at a time; the second is told to look again."""

    code = "server-changed"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"server {name!r} was changed by somebody else since you looked: look again with"
            f" 'corral server show {name}', then repeat your change if it still makes sense"
        )


class ServerRemovedError(DeniedError):
    """A server that was removed from the farm has no part in it any more."""

    code = "server-removed"

    @classmethod
    def on(cls, name: str, when: str) -> ServerRemovedError:
        """Say when that was, and what is left to do."""
        return cls(
            f"server {name!r} was removed from the farm on {when}, and its file counts no more:"
            " stop its stream process; 'corral server add' makes it one of the farm's again"
        )


class AddressUnusableError(EnvironmentFaultError):
    """A process can listen only on a free address of its own machine."""

    code = "address-unusable"

    def __init__(self, address: str, reason: str) -> None:
        super().__init__(
            f"cannot listen on {address}: {reason}; stop what listens there, or choose another one"
        )


class MetricsAddressError(InvalidInputError):
    """A worker's metrics are read from its own machine only: the reader key goes in the clear."""

    code = "metrics-address"

    def __init__(self, address: str) -> None:
        super().__init__(
            f"a worker cannot give its metrics at {address}, where others could hear the reader"
            " key: name a loopback address, such as 127.0.0.1:10950, and put a proxy that speaks"
            " TLS before it for readers elsewhere"
        )


class ServerFileUnusableError(InvalidInputError):
    """A stream process starts from the file that was written when its server was added."""

    code = "server-file-unusable"

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(
            f"{path} cannot be used as a server's file: {reason};"
            " name the one that 'corral server add' wrote"
        )


class StoreTakenError(TakenError):
    """A store folder belongs to one server, unless both serve one store that is shared."""

    code = "store-taken"

    def __init__(self, path: Path, owner: ServerName) -> None:
        super().__init__(
            f"{path} is the store of server {owner!r}: give each server a folder of its own, or let"
            " both serve one store that is shared ('corral store add NAME --shared')"
        )


class NoServerError(RefusedError):
    """An image goes into a server's store, so the farm must have a server first."""

    code = "no-server"

    def __init__(self) -> None:
        super().__init__("the farm has no server yet: add one with 'corral server add'")
