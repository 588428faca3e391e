"""Choose an adapter for each port and put the farm together.

The one place that knows both sides. Whatever is dear to load (the database's library, the native
package) is loaded when a verb first needs it.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from corral.farm.adapters.clock import SystemClock
from corral.farm.adapters.farm_folder.certificate_files import FolderCertificateFiles
from corral.farm.adapters.farm_folder.image_locks import FileImageLocks
from corral.farm.adapters.farm_folder.kept_files import FolderFarmFiles, StagedFolder
from corral.farm.adapters.farm_folder.private_file import (
    PRIVATE_FOLDER,
    write_private_file,
)
from corral.farm.adapters.farm_folder.secret_files import FolderSecretFiles
from corral.farm.adapters.folder_actor import folder_actor
from corral.farm.adapters.randomness import RandomIds, RandomTokens
from corral.farm.adapters.scratch import TemporaryScratch
from corral.farm.application.list_backups import BackupView
from corral.farm.application.ports.backups import Member, NewFarm
from corral.farm.application.restore_farm import RestoreFarm
from corral.farm.application.sign_in import SharedAttempts
from corral.farm.application.verbs import Application
from corral.farm.application.verify_backup import VerifyBackup
from corral.farm.domain.estate.errors import (
    FarmDatabaseError,
    FarmExistsError,
    FarmFolderTakenError,
    FarmUnknownError,
    ProgramMissingError,
)
from corral.farm.domain.library.release import Release
from corral.farm.domain.upgrade.inventory import SeenConsole
from corral.farm.settings import FarmSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime

    from corral.farm.adapters.durable_tasks.engine import DurableTaskEngine
    from corral.farm.adapters.farm_folder.login_snapshot import KeptLogins
    from corral.farm.adapters.sql.transactions import SqlTransactions
    from corral.farm.application.ports.backups import (
        BackupFiles,
        BackupReaders,
        DatabaseSnapshots,
    )
    from corral.farm.application.ports.certificates import CertificateAuthority
    from corral.farm.application.ports.chunk_stores import ChunkStores
    from corral.farm.application.ports.disk_files import DiskFiles
    from corral.farm.application.ports.farm_key import FarmKey, SignatureCheck
    from corral.farm.application.ports.guest_tools import GuestTools
    from corral.farm.application.ports.library import KitLook, KitWorkshop, LibraryFiles
    from corral.farm.application.ports.passwords import Passwords
    from corral.farm.application.ports.schema import DatabaseSchema
    from corral.farm.application.ports.upgrades import CanaryReader, Reach, ReleasePrograms
    from corral.farm.domain.estate.server import ServerName
    from corral.farm.domain.library.kit import KeyId
    from corral.farm.domain.task.number import TaskNumber
    from corral.farm.domain.task.schedule import ScheduleName


class FolderPorts:
    """The adapters of a farm that lives in a folder."""

    def __init__(self, settings: FarmSettings) -> None:
        self._settings = settings
        self.clock = SystemClock()
        self.attempts = SharedAttempts()
        self.ids = RandomIds()
        self.tokens = RandomTokens()
        self.scratch = TemporaryScratch()
        self.image_locks = FileImageLocks(settings.locks_folder)
        self.secret_files = FolderSecretFiles(settings.folder)
        self.farm_files = FolderFarmFiles(settings.folder)
        self.certificate_files = FolderCertificateFiles(settings.folder)

    @cached_property
    def transactions(self) -> SqlTransactions:
        """Records in SQL."""
        from corral.farm.adapters.sql import transactions  # noqa: PLC0415 - dear

        return transactions.SqlTransactions(self._settings.database_url)

    @cached_property
    def farm_key(self) -> FarmKey:
        """The key in the folder."""
        from corral.farm.adapters.farm_folder.farm_key import FileFarmKey  # noqa: PLC0415 - dear

        return FileFarmKey(self._settings.key_file)

    @cached_property
    def certificate_authority(self) -> CertificateAuthority:
        """What follows from the key."""
        from corral.farm.adapters.certificates import DerivedAuthority  # noqa: PLC0415 - dear

        return DerivedAuthority(self.farm_key)

    @cached_property
    def signature_check(self) -> SignatureCheck:
        """Ed25519."""
        from corral.farm.adapters.farm_folder.farm_key import is_signed  # noqa: PLC0415 - dear

        return is_signed

    @cached_property
    def passwords(self) -> Passwords:
        """Argon2."""
        from corral.farm.adapters.passwords import Argon2Passwords  # noqa: PLC0415 - dear

        return Argon2Passwords()

    @cached_property
    def chunk_stores(self) -> ChunkStores:
        """Stores of the native package."""
        try:
            adapter = import_module("corral.farm.adapters.native.chunk_stores")
        except ModuleNotFoundError as error:
            raise ProgramMissingError(
                error.name or "corral_native", "read and write stores", "run 'make setup'"
            ) from error
        stores: ChunkStores = adapter.NativeChunkStores(self.scratch)
        return stores

    @cached_property
    def schema(self) -> DatabaseSchema:
        """Of the same database as the records."""
        from corral.farm.adapters.sql.schema_changes import SqlDatabaseSchema  # noqa: PLC0415 - dear

        return SqlDatabaseSchema(self._settings.database_url)

    @cached_property
    def snapshots(self) -> DatabaseSnapshots:
        """Of the same database as the records."""
        from corral.farm.adapters.sql.dump import SqlSnapshots  # noqa: PLC0415 - dear

        return SqlSnapshots(self._settings.database_url)

    @cached_property
    def backup_files(self) -> BackupFiles:
        """Files that age encrypts."""
        return _backup_files()

    @cached_property
    def library_files(self) -> LibraryFiles:
        """Files where they lie."""
        from corral.farm.adapters.farm_folder.farm_key import is_signed  # noqa: PLC0415 - dear
        from corral.farm.adapters.library_files import files  # noqa: PLC0415 - dear

        return files.FolderLibraryFiles(is_signed)

    @cached_property
    def release(self) -> str:
        """That of this program."""
        return version("corral")

    @cached_property
    def release_programs(self) -> ReleasePrograms:
        """Those in the releases folder of this machine."""
        from corral.farm.adapters import release_programs  # noqa: PLC0415 - dear

        return release_programs.FolderReleasePrograms(
            self._settings.folder, self.release, os.environ
        )

    @cached_property
    def backup_readers(self) -> BackupReaders:
        """Kits in a scratch folder."""
        from corral.farm.adapters import release_programs  # noqa: PLC0415 - dear

        return release_programs.ScratchBackupReaders(
            self.library_files, self.signature_check, os.environ, self.scratch
        )

    @cached_property
    def reach(self) -> Reach:
        """By TCP."""
        from corral.farm.adapters.reach import TcpReach  # noqa: PLC0415 - dear

        return TcpReach()

    @cached_property
    def canary_reader(self) -> CanaryReader:
        """The client of devices."""
        from corral.farm.adapters.target_client import TargetClient  # noqa: PLC0415 - dear

        return TargetClient(self.scratch)

    @cached_property
    def guest_tools(self) -> GuestTools:
        """Guests that QEMU runs on this machine."""
        from corral.farm.adapters.qemu.guest_tools import QemuGuestTools  # noqa: PLC0415 - dear

        return QemuGuestTools(self.scratch)

    @cached_property
    def disk_files(self) -> DiskFiles:
        """Disk images through QEMU's programs."""
        from corral.farm.adapters.qemu.disk_files import QemuDiskFiles  # noqa: PLC0415 - dear

        return QemuDiskFiles(self.scratch)


def new_farm(settings: FarmSettings) -> Application:
    """Make the folder for a farm that ``create_farm`` is going to make.

    Raises ``FarmDatabaseError`` if the folder cannot be made; for a database that is elsewhere also
    what opening it raises, ``FarmExistsError`` and ``FarmFolderTakenError``.
    """
    if settings.database_file is None:
        _look_for_another_farm(settings)
    try:
        settings.folder.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
        if settings.database_file is not None:
            # SQLite's other files take the mode of this one.
            settings.database_file.touch(mode=0o600)
        else:
            write_private_file(settings.settings_file, settings.settings_text.encode())
    except OSError as error:
        reason = f"{settings.folder}: {(error.strerror or str(error)).lower()}"
        raise FarmDatabaseError(reason) from error
    return Application(FolderPorts(settings), folder_actor())


def open_farm(settings: FarmSettings) -> Application:
    """Open the farm of a folder; expands the schema of a database that is embedded.

    Raises ``FarmUnknownError``, ``FarmNewerError``, ``SchemaBehindError``, ``SchemaDamagedError``,
    ``FarmDatabaseError``.
    """
    return Application(open_ports(settings), folder_actor())


def open_console(settings: FarmSettings) -> Application:
    """Open the farm for a person's commands.

    Raises what ``open_farm`` raises, and ``ConsoleTooOldError``.
    """
    ports = open_ports(settings)
    ports.transactions.demand_console(ports.release)
    actor = folder_actor()
    who = f"{actor.name}@{actor.where}"
    seen = SeenConsole(who, Release.parse(ports.release), ports.clock.now())
    ports.transactions.note_console(seen)
    return Application(ports, actor)


def open_schema(settings: FarmSettings) -> Application:
    """Give the verbs of a database's schema, which may be one that this release cannot work on.

    Raises ``FarmUnknownError``.
    """
    _demand_database(settings)
    return Application(FolderPorts(settings), folder_actor())


def open_ports(settings: FarmSettings) -> FolderPorts:
    """Open what a farm's verbs stand on; raises what ``open_farm`` raises."""
    _demand_database(settings)
    ports = FolderPorts(settings)
    ports.transactions.set_up()
    return ports


def _demand_database(settings: FarmSettings) -> None:
    """Look first: to open an SQLite file that is not there would make one."""
    database_file = settings.database_file
    if database_file is not None and not database_file.exists():
        raise FarmUnknownError(str(settings.folder))


def kept_logins(settings: FarmSettings) -> KeptLogins:
    """Give what devices start from while the database is away, as it is kept on this machine.

    Raises ``LoginsUnusableError``, and what reading the farm's key raises.
    """
    from corral.farm.adapters.farm_folder.login_snapshot import KeptLogins  # noqa: PLC0415 - dear

    kept = KeptLogins(settings.logins_file, FolderPorts(settings).farm_key.public_key())
    kept.load()
    return kept


def database_account(settings: FarmSettings) -> str:
    """Give as whom this process comes to the farm's database, without asking it."""
    from corral.farm.adapters.sql.account import account_of  # noqa: PLC0415 - dear

    return account_of(settings.database_url)


def restoring(settings: FarmSettings) -> RestoreFarm:
    """Give the verb that makes a farm of a backup, in the folder and the database of settings."""
    place = _new_place(settings)
    return RestoreFarm(_backup_files(), place, SystemClock(), folder_actor())


def verifying() -> VerifyBackup:
    """Give the verb that verifies backups; it needs no farm."""
    from corral.farm.adapters.farm_folder.farm_key import is_signed  # noqa: PLC0415 - dear

    stores = FolderPorts(FarmSettings.read(Path(), {})).chunk_stores
    return VerifyBackup(_backup_files(), _scratch_place, stores, is_signed)


def backups_in(folder: Path) -> Sequence[BackupView]:
    """Look at the backups of a folder, newest first; needs no farm."""
    seen = _backup_files().seen(folder.absolute())
    now = SystemClock().now()
    return [BackupView(one.path, now, None, one) for one in reversed(seen)]


def schema_script(first: str, last: str, dialect: str) -> str:
    """Give the script of some steps; needs no farm, raises ``SchemaScriptInvalidError``."""
    from corral.farm.adapters.sql import schema_script as scripts  # noqa: PLC0415 - dear

    return scripts.schema_script(first, last, dialect)


def kit_workshop() -> KitWorkshop:
    """Give what makes keys and kits; it needs no farm."""
    from corral.farm.adapters.library_files.workshop import FolderWorkshop  # noqa: PLC0415 - dear

    return FolderWorkshop()


def look_at_kit(path: Path, trusted: Mapping[KeyId, bytes]) -> KitLook:
    """Read the beginning of a kit; needs no farm."""
    return FolderPorts(FarmSettings.read(Path(), {})).library_files.look(path, trusted)


def _backup_files() -> BackupFiles:
    from corral.farm.adapters.backup_files.files import AgeBackupFiles  # noqa: PLC0415 - dear
    from corral.farm.adapters.farm_folder.farm_key import is_signed  # noqa: PLC0415 - dear

    return AgeBackupFiles(is_signed)


def _new_place(settings: FarmSettings) -> NewFarm:
    from corral.farm.adapters.sql.dump import SqlDatabasePlace  # noqa: PLC0415 - dear

    folder = StagedFolder(settings.folder)
    ports = FolderPorts(settings)
    own = Member(settings.settings_file.name, settings.settings_text.encode())
    url = settings.database_url
    if settings.database_file is not None:
        # Made first, because SQLite's other files take the mode of this one.
        own = Member(settings.database_file.name, b"")
        url = settings.with_folder(folder.folder).database_url
    return NewFarm(
        folder,
        SqlDatabasePlace(url),
        (own,),
        ports.transactions,
        ports.farm_key,
        settings.folder,
    )


@contextmanager
def _scratch_place() -> Iterator[NewFarm]:
    from corral.farm.adapters.sql.transactions import SqlTransactions  # noqa: PLC0415 - dear

    with TemporaryScratch().folder("verify") as scratch:
        settings = FarmSettings.embedded(scratch / "farm")
        place = _new_place(settings)
        transactions = SqlTransactions(settings.database_url)
        try:
            yield replace(place, transactions=transactions)
        finally:
            transactions.close()


def durable_engine(
    settings: FarmSettings,
    *,
    worker: str,
    servers: Sequence[ServerName] | None,
    run: Callable[[TaskNumber, int], None],
    fire: Callable[[ScheduleName, datetime], None],
) -> DurableTaskEngine:
    """Give the engine that starts tasks in this process; its queues lie beside the records."""
    from corral.farm.adapters.durable_tasks.engine import DurableTaskEngine  # noqa: PLC0415 - dear

    if settings.tasks_file is not None:
        return DurableTaskEngine(
            worker=worker, servers=servers, run=run, fire=fire, file=settings.tasks_file
        )
    from corral.farm.adapters.sql.postgresql import open_plainly  # noqa: PLC0415 - dear

    return DurableTaskEngine(
        worker=worker,
        servers=servers,
        run=run,
        fire=fire,
        database=open_plainly(settings.database_url),
    )


def _look_for_another_farm(settings: FarmSettings) -> None:
    """Refuse before anything is written to the folder: its key would be that of no farm."""
    kept = FarmSettings.read(settings.folder, {})
    farm_file = kept.database_file or kept.settings_file
    if farm_file.exists() and kept.database_url != settings.database_url:
        raise FarmFolderTakenError(settings.folder)
    transactions = FolderPorts(settings).transactions
    transactions.set_up()
    with transactions.reading() as records:
        try:
            farm = records.farm.get()
        except FarmUnknownError:
            return
    raise FarmExistsError(farm.name)
