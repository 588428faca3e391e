"""Choose an adapter for each port and put the farm together.

The one place that knows both sides. Whatever is dear to load (the database's library, the native
package) is loaded when a verb first needs it.
"""

from __future__ import annotations

from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING, Protocol, cast

from corral.farm.adapters.clock import SystemClock
from corral.farm.adapters.farm_folder.image_locks import FileImageLocks
from corral.farm.adapters.farm_folder.private_file import (
    PRIVATE_FOLDER,
    write_private_file,
)
from corral.farm.adapters.farm_folder.secret_files import FolderSecretFiles
from corral.farm.adapters.folder_actor import folder_actor
from corral.farm.adapters.randomness import RandomIds, RandomTokens
from corral.farm.application.add_account import AddAccount
from corral.farm.application.add_collection import AddCollection
from corral.farm.application.add_server import AddServer
from corral.farm.application.add_site import AddSite
from corral.farm.application.add_store import AddStore
from corral.farm.application.assign_device import AssignDevice
from corral.farm.application.auditing import AuditingTransactions
from corral.farm.application.cancel_task import CancelTask
from corral.farm.application.change_account import ChangeAccount
from corral.farm.application.change_collection import ChangeCollection
from corral.farm.application.change_device import ChangeDevice
from corral.farm.application.change_image import ChangeImage
from corral.farm.application.change_server import ChangeServer
from corral.farm.application.change_site import ChangeSite
from corral.farm.application.change_store import ChangeStore
from corral.farm.application.check_farm import CheckFarm
from corral.farm.application.configure_server import ConfigureServer
from corral.farm.application.create_farm import CreateFarm
from corral.farm.application.delete_version import DeleteVersion
from corral.farm.application.describe_version import DescribeVersion
from corral.farm.application.discard_maintenance import DiscardMaintenance
from corral.farm.application.dispatch_tasks import DispatchTasks
from corral.farm.application.drain_server import DrainServer
from corral.farm.application.edit_groups import AddGroup, ChangeGroup, RemoveGroup
from corral.farm.application.export_version import ExportVersion
from corral.farm.application.follow_work import CountMoves, FollowSealing
from corral.farm.application.forget_worker import ForgetWorker
from corral.farm.application.grant_role import GrantRole, RevokeRole
from corral.farm.application.heal_store import HealStore
from corral.farm.application.import_devices import ImportDevices
from corral.farm.application.import_image import ImportImage
from corral.farm.application.issue_token import IssueToken, ListTokens, RevokeToken
from corral.farm.application.list_accounts import (
    ListAccounts,
    ListGroups,
    ListRoles,
    ShowAccount,
    ShowGroup,
)
from corral.farm.application.list_audit import ListAudit
from corral.farm.application.list_collections import ListCollections, ShowCollection
from corral.farm.application.list_devices import ListDevices, ShowDevice
from corral.farm.application.list_images import (
    ListImages,
    ShowImage,
    ShowVersion,
    ShowVersionHistory,
)
from corral.farm.application.list_servers import ListServers, ShowServer
from corral.farm.application.list_sites import ListSites, ShowSite
from corral.farm.application.list_stores import ListStores, ShowStore
from corral.farm.application.list_tasks import ListTasks, ShowTask
from corral.farm.application.log_device_in import LogDeviceIn
from corral.farm.application.maintain_image import MaintainImage
from corral.farm.application.pause_task import PauseTask
from corral.farm.application.pin_version import PinVersion, UnpinImage
from corral.farm.application.promote_maintenance import PromoteMaintenance
from corral.farm.application.promote_version import PromoteVersion
from corral.farm.application.rebalance_servers import RebalanceServers
from corral.farm.application.recognise_caller import RecogniseCaller
from corral.farm.application.recognise_device import RecogniseDevice
from corral.farm.application.recognise_server import RecogniseServer
from corral.farm.application.register_device import RegisterDevice
from corral.farm.application.release_version import ReleaseVersion
from corral.farm.application.remove_account import RemoveAccount
from corral.farm.application.remove_collection import RemoveCollection
from corral.farm.application.remove_device import RemoveDevice
from corral.farm.application.remove_site import RemoveSite
from corral.farm.application.remove_store import RemoveStore
from corral.farm.application.replicate_version import ReplicateVersion
from corral.farm.application.reset_device_cache import ResetDeviceCache
from corral.farm.application.resume_task import ResumeTask
from corral.farm.application.retire_version import RetireVersion
from corral.farm.application.retry_task import RetryTask
from corral.farm.application.revert_version import RevertVersion
from corral.farm.application.run_task import RunTask
from corral.farm.application.schedule_tasks import (
    AddSchedule,
    BeginScheduled,
    CancelScheduledRun,
    ListSchedules,
    RemoveSchedule,
)
from corral.farm.application.set_affinity import SetAffinity
from corral.farm.application.set_balance import SetBalance
from corral.farm.application.set_device_cache import SetDeviceCache
from corral.farm.application.set_password import ChangeOwnPassword, SetPassword
from corral.farm.application.set_replication import LimitReplication, SetCopies
from corral.farm.application.show_farm import ShowFarm
from corral.farm.application.show_replication import ShowReplication
from corral.farm.application.show_status import ShowStatus
from corral.farm.application.sign_in import SharedAttempts, SignIn
from corral.farm.application.start_task import BeginTask, StartTask
from corral.farm.application.take_login_snapshot import TakeLoginSnapshot
from corral.farm.application.take_server_report import TakeServerReport
from corral.farm.application.undrain_server import UndrainServer
from corral.farm.application.verify_store import VerifyStore
from corral.farm.application.verify_version import VerifyVersion
from corral.farm.application.work_on_task import ClaimTask, EndTask, KeepTask
from corral.farm.domain.access.actor import THE_FARM
from corral.farm.domain.estate.errors import (
    FarmDatabaseError,
    FarmExistsError,
    FarmFolderTakenError,
    FarmUnknownError,
    ProgramMissingError,
)
from corral.farm.domain.task.limits import Limits
from corral.farm.settings import FarmSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from corral.farm.adapters.durable_tasks.engine import DurableTaskEngine
    from corral.farm.application.ports.chunk_stores import ChunkStores
    from corral.farm.application.ports.disk_files import DiskFiles
    from corral.farm.application.ports.farm_key import FarmKey, SignatureCheck
    from corral.farm.application.ports.image_locks import ImageLocks
    from corral.farm.application.ports.passwords import Passwords
    from corral.farm.application.ports.records import Transactions
    from corral.farm.application.ports.secret_files import SecretFiles
    from corral.farm.application.ports.sources import Clock, IdSource, TokenSource
    from corral.farm.domain.access.actor import Actor
    from corral.farm.domain.estate.server import ServerName
    from corral.farm.domain.task.number import TaskNumber
    from corral.farm.domain.task.schedule import ScheduleName


class Ports(Protocol):
    """One adapter for each port."""

    @property
    def transactions(self) -> Transactions: ...  # noqa: D102 - the types say it
    @property
    def chunk_stores(self) -> ChunkStores: ...  # noqa: D102
    @property
    def disk_files(self) -> DiskFiles: ...  # noqa: D102
    @property
    def image_locks(self) -> ImageLocks: ...  # noqa: D102
    @property
    def farm_key(self) -> FarmKey: ...  # noqa: D102
    @property
    def signature_check(self) -> SignatureCheck: ...  # noqa: D102
    @property
    def secret_files(self) -> SecretFiles: ...  # noqa: D102
    @property
    def passwords(self) -> Passwords: ...  # noqa: D102
    @property
    def attempts(self) -> SharedAttempts: ...  # noqa: D102
    @property
    def ids(self) -> IdSource: ...  # noqa: D102
    @property
    def tokens(self) -> TokenSource: ...  # noqa: D102
    @property
    def clock(self) -> Clock: ...  # noqa: D102


class FolderPorts:
    """The adapters of a farm that lives in a folder."""

    def __init__(self, settings: FarmSettings) -> None:
        self._settings = settings
        self.clock = SystemClock()
        self.attempts = SharedAttempts()
        self.ids = RandomIds()
        self.tokens = RandomTokens()
        self.image_locks = FileImageLocks(settings.locks_folder)
        self.secret_files = FolderSecretFiles(settings.folder)

    @cached_property
    def transactions(self) -> Transactions:
        """Records in SQL."""
        from corral.farm.adapters.sql.transactions import SqlTransactions  # noqa: PLC0415 - dear

        return SqlTransactions(self._settings.database_url)

    @cached_property
    def farm_key(self) -> FarmKey:
        """The key in the folder."""
        from corral.farm.adapters.farm_folder.farm_key import FileFarmKey  # noqa: PLC0415 - dear

        return FileFarmKey(self._settings.key_file)

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
        stores: ChunkStores = adapter.NativeChunkStores()
        return stores

    @cached_property
    def disk_files(self) -> DiskFiles:
        """Disk images through QEMU's programs."""
        from corral.farm.adapters.qemu.disk_files import QemuDiskFiles  # noqa: PLC0415 - dear

        return QemuDiskFiles()


class _ActingPorts:
    """The same adapters, with transactions that note each change in somebody's name."""

    def __init__(self, ports: Ports, actor: Actor) -> None:
        self._ports = ports
        self._actor = actor

    @cached_property
    def transactions(self) -> Transactions:
        return AuditingTransactions(self._ports.transactions, self._actor, self._ports.clock)

    def __getattr__(self, port: str) -> object:
        return getattr(self._ports, port)


class Application:
    """Every verb of a farm, ready to be called.

    What the verbs change is noted in the audit log as done by ``actor``.
    """

    def __init__(self, ports: Ports, actor: Actor = THE_FARM) -> None:
        self._given = ports
        self._actor = actor
        # It has every port, most of them by delegation, which is out of the checker's sight.
        self._ports = cast("Ports", _ActingPorts(ports, actor))
        self._by = str(actor)

    def acting_as(self, actor: Actor) -> Application:
        """Give the same verbs in somebody else's name."""
        return Application(self._given, actor)

    @cached_property
    def create_farm(self) -> CreateFarm:  # noqa: D102 - each verb's own docstring says what it does
        p = self._ports
        return CreateFarm(
            transactions=p.transactions,
            key=p.farm_key,
            passwords=p.passwords,
            ids=p.ids,
            tokens=p.tokens,
            clock=p.clock,
        )

    @cached_property
    def sign_in(self) -> SignIn:  # noqa: D102
        p = self._ports
        return SignIn(p.transactions, p.passwords, p.ids, p.tokens, p.clock, attempts=p.attempts)

    @cached_property
    def recognise_caller(self) -> RecogniseCaller:  # noqa: D102
        return RecogniseCaller(self._ports.transactions, self._ports.clock)

    @cached_property
    def add_account(self) -> AddAccount:  # noqa: D102
        p = self._ports
        return AddAccount(p.transactions, p.passwords, p.ids, p.tokens, p.clock)

    @cached_property
    def change_account(self) -> ChangeAccount:  # noqa: D102
        return ChangeAccount(self._ports.transactions)

    @cached_property
    def remove_account(self) -> RemoveAccount:  # noqa: D102
        return RemoveAccount(self._ports.transactions)

    @cached_property
    def set_password(self) -> SetPassword:  # noqa: D102
        p = self._ports
        return SetPassword(p.transactions, p.passwords, p.tokens, p.clock)

    @cached_property
    def change_own_password(self) -> ChangeOwnPassword:  # noqa: D102
        p = self._ports
        return ChangeOwnPassword(p.transactions, p.passwords, p.tokens, p.clock)

    @cached_property
    def list_accounts(self) -> ListAccounts:  # noqa: D102
        return ListAccounts(self._ports.transactions)

    @cached_property
    def show_account(self) -> ShowAccount:  # noqa: D102
        return ShowAccount(self._ports.transactions)

    @cached_property
    def add_group(self) -> AddGroup:  # noqa: D102
        return AddGroup(self._ports.transactions, self._ports.ids)

    @cached_property
    def change_group(self) -> ChangeGroup:  # noqa: D102
        return ChangeGroup(self._ports.transactions)

    @cached_property
    def remove_group(self) -> RemoveGroup:  # noqa: D102
        return RemoveGroup(self._ports.transactions)

    @cached_property
    def list_groups(self) -> ListGroups:  # noqa: D102
        return ListGroups(self._ports.transactions)

    @cached_property
    def show_group(self) -> ShowGroup:  # noqa: D102
        return ShowGroup(self._ports.transactions)

    @cached_property
    def grant_role(self) -> GrantRole:  # noqa: D102
        return GrantRole(self._ports.transactions, self._ports.ids)

    @cached_property
    def revoke_role(self) -> RevokeRole:  # noqa: D102
        return RevokeRole(self._ports.transactions)

    @cached_property
    def list_roles(self) -> ListRoles:  # noqa: D102
        return ListRoles(self._ports.transactions)

    @cached_property
    def issue_token(self) -> IssueToken:  # noqa: D102
        p = self._ports
        return IssueToken(p.transactions, p.ids, p.tokens, p.clock)

    @cached_property
    def list_tokens(self) -> ListTokens:  # noqa: D102
        return ListTokens(self._ports.transactions, self._ports.clock)

    @cached_property
    def revoke_token(self) -> RevokeToken:  # noqa: D102
        return RevokeToken(self._ports.transactions, self._ports.clock)

    @cached_property
    def list_audit(self) -> ListAudit:  # noqa: D102
        return ListAudit(self._ports.transactions)

    @cached_property
    def show_farm(self) -> ShowFarm:  # noqa: D102
        return ShowFarm(self._ports.transactions)

    @cached_property
    def show_status(self) -> ShowStatus:  # noqa: D102
        return ShowStatus(self._ports.transactions, self._ports.clock)

    @cached_property
    def add_server(self) -> AddServer:  # noqa: D102
        p = self._ports
        return AddServer(
            transactions=p.transactions,
            stores=p.chunk_stores,
            secret_files=p.secret_files,
            ids=p.ids,
            tokens=p.tokens,
            clock=p.clock,
        )

    @cached_property
    def list_servers(self) -> ListServers:  # noqa: D102
        return ListServers(self._ports.transactions, self._ports.clock)

    @cached_property
    def show_server(self) -> ShowServer:  # noqa: D102
        return ShowServer(self._ports.transactions, self._ports.clock)

    @cached_property
    def drain_server(self) -> DrainServer:  # noqa: D102
        return DrainServer(self._ports.transactions, self._ports.clock)

    @cached_property
    def undrain_server(self) -> UndrainServer:  # noqa: D102
        return UndrainServer(self._ports.transactions)

    @cached_property
    def rebalance_servers(self) -> RebalanceServers:  # noqa: D102
        return RebalanceServers(self._ports.transactions, self._ports.clock)

    @cached_property
    def check_farm(self) -> CheckFarm:  # noqa: D102
        p = self._ports
        return CheckFarm(p.transactions, p.farm_key, p.clock)

    @cached_property
    def set_affinity(self) -> SetAffinity:  # noqa: D102
        return SetAffinity(self._ports.transactions)

    @cached_property
    def set_balance(self) -> SetBalance:  # noqa: D102
        return SetBalance(self._ports.transactions)

    @cached_property
    def recognise_server(self) -> RecogniseServer:  # noqa: D102
        return RecogniseServer(self._ports.transactions)

    @cached_property
    def configure_server(self) -> ConfigureServer:  # noqa: D102
        p = self._ports
        return ConfigureServer(p.transactions, p.farm_key, p.clock)

    @cached_property
    def take_server_report(self) -> TakeServerReport:  # noqa: D102
        p = self._ports
        return TakeServerReport(p.transactions, p.farm_key, p.clock)

    @cached_property
    def verify_store(self) -> VerifyStore:  # noqa: D102
        p = self._ports
        return VerifyStore(p.transactions, p.chunk_stores, p.clock)

    @cached_property
    def heal_store(self) -> HealStore:  # noqa: D102
        p = self._ports
        return HealStore(p.transactions, p.chunk_stores, p.farm_key, p.clock)

    @cached_property
    def import_image(self) -> ImportImage:  # noqa: D102
        p = self._ports
        return ImportImage(
            transactions=p.transactions,
            stores=p.chunk_stores,
            disk_files=p.disk_files,
            locks=p.image_locks,
            key=p.farm_key,
            ids=p.ids,
            clock=p.clock,
            by=self._by,
        )

    @cached_property
    def list_images(self) -> ListImages:  # noqa: D102
        p = self._ports
        return ListImages(p.transactions, p.image_locks, p.clock)

    @cached_property
    def show_image(self) -> ShowImage:  # noqa: D102
        p = self._ports
        return ShowImage(p.transactions, p.image_locks, p.clock)

    @cached_property
    def show_version(self) -> ShowVersion:  # noqa: D102
        return ShowVersion(self._ports.transactions, self._ports.clock)

    @cached_property
    def show_version_history(self) -> ShowVersionHistory:  # noqa: D102
        return ShowVersionHistory(self._ports.transactions)

    @cached_property
    def verify_version(self) -> VerifyVersion:  # noqa: D102
        p = self._ports
        return VerifyVersion(p.transactions, p.chunk_stores, p.signature_check, p.clock)

    @cached_property
    def export_version(self) -> ExportVersion:  # noqa: D102
        p = self._ports
        return ExportVersion(p.transactions, p.chunk_stores, p.disk_files, p.farm_key, p.clock)

    @cached_property
    def delete_version(self) -> DeleteVersion:  # noqa: D102
        p = self._ports
        return DeleteVersion(p.transactions, p.chunk_stores, p.image_locks, p.clock, self._by)

    @cached_property
    def promote_version(self) -> PromoteVersion:  # noqa: D102
        return PromoteVersion(self._ports.transactions, self._ports.clock, self._by)

    @cached_property
    def release_version(self) -> ReleaseVersion:  # noqa: D102
        return ReleaseVersion(self._ports.transactions, self._ports.clock, self._by)

    @cached_property
    def revert_version(self) -> RevertVersion:  # noqa: D102
        return RevertVersion(self._ports.transactions, self._ports.clock, self._by)

    @cached_property
    def retire_version(self) -> RetireVersion:  # noqa: D102
        return RetireVersion(self._ports.transactions, self._ports.clock, self._by)

    @cached_property
    def pin_version(self) -> PinVersion:  # noqa: D102
        return PinVersion(self._ports.transactions, self._ports.clock, self._by)

    @cached_property
    def unpin_image(self) -> UnpinImage:  # noqa: D102
        return UnpinImage(self._ports.transactions, self._ports.clock, self._by)

    @cached_property
    def describe_version(self) -> DescribeVersion:  # noqa: D102
        return DescribeVersion(self._ports.transactions, self._ports.clock, self._by)

    @cached_property
    def change_image(self) -> ChangeImage:  # noqa: D102
        return ChangeImage(self._ports.transactions)

    @cached_property
    def set_device_cache(self) -> SetDeviceCache:  # noqa: D102
        return SetDeviceCache(self._ports.transactions)

    @cached_property
    def maintain_image(self) -> MaintainImage:  # noqa: D102
        p = self._ports
        return MaintainImage(p.transactions, p.ids, p.clock, self._by)

    @cached_property
    def promote_maintenance(self) -> PromoteMaintenance:  # noqa: D102
        return PromoteMaintenance(self._ports.transactions, self._ports.clock, self._by)

    @cached_property
    def discard_maintenance(self) -> DiscardMaintenance:  # noqa: D102
        return DiscardMaintenance(self._ports.transactions)

    @cached_property
    def reset_device_cache(self) -> ResetDeviceCache:  # noqa: D102
        return ResetDeviceCache(self._ports.transactions)

    @cached_property
    def replicate_version(self) -> ReplicateVersion:  # noqa: D102
        return ReplicateVersion(self._ports.transactions, self._ports.clock)

    @cached_property
    def set_copies(self) -> SetCopies:  # noqa: D102
        return SetCopies(self._ports.transactions, self._ports.clock)

    @cached_property
    def limit_replication(self) -> LimitReplication:  # noqa: D102
        return LimitReplication(self._ports.transactions)

    @cached_property
    def show_replication(self) -> ShowReplication:  # noqa: D102
        return ShowReplication(self._ports.transactions, self._ports.clock)

    @cached_property
    def register_device(self) -> RegisterDevice:  # noqa: D102
        p = self._ports
        return RegisterDevice(p.transactions, p.secret_files, p.ids, p.tokens, p.clock)

    @cached_property
    def assign_device(self) -> AssignDevice:  # noqa: D102
        return AssignDevice(self._ports.transactions, self._ports.clock)

    @cached_property
    def list_devices(self) -> ListDevices:  # noqa: D102
        return ListDevices(self._ports.transactions, self._ports.clock)

    @cached_property
    def show_device(self) -> ShowDevice:  # noqa: D102
        return ShowDevice(self._ports.transactions, self._ports.clock)

    @cached_property
    def recognise_device(self) -> RecogniseDevice:  # noqa: D102
        return RecogniseDevice(self._ports.transactions, self._ports.clock)

    @cached_property
    def take_login_snapshot(self) -> TakeLoginSnapshot:  # noqa: D102
        p = self._ports
        return TakeLoginSnapshot(p.transactions, p.farm_key, p.clock)

    @property
    def farm_key(self) -> FarmKey:
        """The key that signs what others shall believe without a database."""
        return self._ports.farm_key

    @cached_property
    def log_device_in(self) -> LogDeviceIn:  # noqa: D102
        p = self._ports
        return LogDeviceIn(p.transactions, p.farm_key, p.ids, p.clock)

    @cached_property
    def add_site(self) -> AddSite:  # noqa: D102
        return AddSite(self._ports.transactions, self._ports.ids)

    @cached_property
    def list_sites(self) -> ListSites:  # noqa: D102
        return ListSites(self._ports.transactions)

    @cached_property
    def show_site(self) -> ShowSite:  # noqa: D102
        return ShowSite(self._ports.transactions)

    @cached_property
    def change_site(self) -> ChangeSite:  # noqa: D102
        return ChangeSite(self._ports.transactions)

    @cached_property
    def remove_site(self) -> RemoveSite:  # noqa: D102
        return RemoveSite(self._ports.transactions)

    @cached_property
    def add_collection(self) -> AddCollection:  # noqa: D102
        return AddCollection(self._ports.transactions, self._ports.ids)

    @cached_property
    def list_collections(self) -> ListCollections:  # noqa: D102
        return ListCollections(self._ports.transactions)

    @cached_property
    def show_collection(self) -> ShowCollection:  # noqa: D102
        return ShowCollection(self._ports.transactions)

    @cached_property
    def change_collection(self) -> ChangeCollection:  # noqa: D102
        return ChangeCollection(self._ports.transactions)

    @cached_property
    def remove_collection(self) -> RemoveCollection:  # noqa: D102
        return RemoveCollection(self._ports.transactions)

    @cached_property
    def add_store(self) -> AddStore:  # noqa: D102
        return AddStore(self._ports.transactions, self._ports.ids)

    @cached_property
    def list_stores(self) -> ListStores:  # noqa: D102
        return ListStores(self._ports.transactions)

    @cached_property
    def show_store(self) -> ShowStore:  # noqa: D102
        return ShowStore(self._ports.transactions)

    @cached_property
    def change_store(self) -> ChangeStore:  # noqa: D102
        return ChangeStore(self._ports.transactions)

    @cached_property
    def remove_store(self) -> RemoveStore:  # noqa: D102
        return RemoveStore(self._ports.transactions)

    @cached_property
    def change_server(self) -> ChangeServer:  # noqa: D102
        return ChangeServer(self._ports.transactions, self._ports.clock)

    @cached_property
    def import_devices(self) -> ImportDevices:  # noqa: D102
        p = self._ports
        return ImportDevices(p.transactions, p.secret_files, p.ids, p.tokens, p.clock)

    @cached_property
    def change_device(self) -> ChangeDevice:  # noqa: D102
        return ChangeDevice(self._ports.transactions)

    @cached_property
    def remove_device(self) -> RemoveDevice:  # noqa: D102
        return RemoveDevice(self._ports.transactions, self._ports.clock)

    @cached_property
    def start_task(self) -> StartTask:  # noqa: D102
        return StartTask(self._ports.transactions, self._ports.clock, self._actor)

    @cached_property
    def begin_task(self) -> BeginTask:  # noqa: D102
        return BeginTask(self._ports.transactions, self._ports.clock, self._actor)

    @cached_property
    def claim_task(self) -> ClaimTask:  # noqa: D102
        return ClaimTask(self._ports.transactions, self._ports.clock, Limits())

    @cached_property
    def keep_task(self) -> KeepTask:  # noqa: D102
        return KeepTask(self._ports.transactions, self._ports.clock)

    @cached_property
    def end_task(self) -> EndTask:  # noqa: D102
        return EndTask(self._ports.transactions, self._ports.clock)

    @cached_property
    def dispatch_tasks(self) -> DispatchTasks:  # noqa: D102
        return DispatchTasks(self._ports.transactions, self._ports.clock, Limits())

    @cached_property
    def list_tasks(self) -> ListTasks:  # noqa: D102
        return ListTasks(self._ports.transactions, self._ports.clock)

    @cached_property
    def show_task(self) -> ShowTask:  # noqa: D102
        return ShowTask(self._ports.transactions, self._ports.clock)

    @cached_property
    def cancel_task(self) -> CancelTask:  # noqa: D102
        return CancelTask(self._ports.transactions, self._ports.clock, self._actor)

    @cached_property
    def pause_task(self) -> PauseTask:  # noqa: D102
        return PauseTask(self._ports.transactions, self._ports.clock, self._actor)

    @cached_property
    def resume_task(self) -> ResumeTask:  # noqa: D102
        return ResumeTask(self._ports.transactions, self._ports.clock, self._actor)

    @cached_property
    def retry_task(self) -> RetryTask:  # noqa: D102
        return RetryTask(self._ports.transactions, self._ports.clock, self._actor)

    @cached_property
    def run_task(self) -> RunTask:  # noqa: D102
        return RunTask(self)

    @cached_property
    def add_schedule(self) -> AddSchedule:  # noqa: D102
        return AddSchedule(self._ports.transactions, self._ports.clock, self._actor)

    @cached_property
    def list_schedules(self) -> ListSchedules:  # noqa: D102
        return ListSchedules(self._ports.transactions)

    @cached_property
    def remove_schedule(self) -> RemoveSchedule:  # noqa: D102
        return RemoveSchedule(self._ports.transactions)

    @cached_property
    def cancel_scheduled_run(self) -> CancelScheduledRun:  # noqa: D102
        return CancelScheduledRun(self._ports.transactions, self._ports.clock, self._actor)

    @cached_property
    def follow_sealing(self) -> FollowSealing:  # noqa: D102
        return FollowSealing(self._ports.transactions)

    @cached_property
    def count_moves(self) -> CountMoves:  # noqa: D102
        return CountMoves(self._ports.transactions)

    @cached_property
    def begin_scheduled(self) -> BeginScheduled:  # noqa: D102
        return BeginScheduled(self._ports.transactions, self._ports.clock)

    @cached_property
    def forget_worker(self) -> ForgetWorker:  # noqa: D102
        return ForgetWorker(self._ports.transactions)


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
    """Open the farm of a folder and bring its schema up to date.

    Raises ``FarmUnknownError``, ``FarmNewerError``, ``FarmDatabaseError``.
    """
    database_file = settings.database_file
    # Looked at first: to open an SQLite file that is not there would make one.
    if database_file is not None and not database_file.exists():
        raise FarmUnknownError(str(settings.folder))
    ports = FolderPorts(settings)
    ports.transactions.set_up()
    return Application(ports, folder_actor())


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
