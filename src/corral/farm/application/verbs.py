"""Every verb of a farm, each given the ports that its constructor names."""

from __future__ import annotations

from importlib import import_module
from inspect import signature
from typing import TYPE_CHECKING, Generic, ParamSpec, Protocol, TypeVar

from corral.farm.application.auditing import AuditingTransactions
from corral.farm.domain.access.actor import THE_FARM

if TYPE_CHECKING:
    from collections.abc import Callable

    from corral.farm.application.accept_difference import AcceptDifference, ShowDifference
    from corral.farm.application.accept_risk import AcceptRisk, ListAcceptances, WithdrawAcceptance
    from corral.farm.application.add_account import AddAccount
    from corral.farm.application.add_collection import AddCollection
    from corral.farm.application.add_server import AddServer
    from corral.farm.application.add_site import AddSite
    from corral.farm.application.add_store import AddStore
    from corral.farm.application.admit_computer import (
        ApproveComputer,
        DeleteComputer,
        RefuseComputer,
    )
    from corral.farm.application.advance_upgrade import AdvanceUpgrade
    from corral.farm.application.assign_device import AssignDevice
    from corral.farm.application.assign_image import AssignImage, UnassignImage
    from corral.farm.application.assign_kit import (
        AssignKit,
        ListComputerKits,
        ListKitComputers,
        RetryKit,
        UnassignKit,
    )
    from corral.farm.application.cancel_task import CancelTask
    from corral.farm.application.certify import CertifyApi, CertifyServer, ShowCertificates
    from corral.farm.application.change_account import ChangeAccount
    from corral.farm.application.change_collection import ChangeCollection
    from corral.farm.application.change_computer import ChangeComputer, RetryMachine
    from corral.farm.application.change_device import ChangeDevice
    from corral.farm.application.change_farm import ChangeFarm
    from corral.farm.application.change_image import ChangeImage
    from corral.farm.application.change_schema import ContractSchema, ExpandSchema
    from corral.farm.application.change_server import ChangeServer
    from corral.farm.application.change_site import ChangeSite
    from corral.farm.application.change_store import ChangeStore
    from corral.farm.application.check_farm import CheckFarm
    from corral.farm.application.check_upgrade import CheckUpgrade
    from corral.farm.application.collect_store import CollectStore
    from corral.farm.application.configure_server import ConfigureServer
    from corral.farm.application.create_backup import CreateBackup
    from corral.farm.application.create_farm import CreateFarm
    from corral.farm.application.delete_version import DeleteVersion
    from corral.farm.application.describe_version import DescribeVersion
    from corral.farm.application.discard_maintenance import DiscardMaintenance
    from corral.farm.application.dispatch_tasks import DispatchTasks
    from corral.farm.application.drain_server import DrainServer
    from corral.farm.application.edit_groups import AddGroup, ChangeGroup, RemoveGroup
    from corral.farm.application.edit_user_groups import (
        AddUserGroup,
        ChangeUserGroup,
        RemoveUserGroup,
    )
    from corral.farm.application.edit_users import AddUser, ChangeUser, RemoveUser
    from corral.farm.application.export_version import ExportVersion
    from corral.farm.application.follow_work import FollowMoves, FollowSealing
    from corral.farm.application.forget_worker import ForgetWorker
    from corral.farm.application.grant_role import GrantRole, RevokeRole
    from corral.farm.application.heal_store import HealStore
    from corral.farm.application.import_devices import ImportDevices
    from corral.farm.application.import_image import ImportImage
    from corral.farm.application.import_into_library import ImportIntoLibrary
    from corral.farm.application.issue_code import IssueCode, ListCodes, RevokeCode
    from corral.farm.application.issue_token import IssueToken, ListTokens, RevokeToken
    from corral.farm.application.kill_computer import KillComputer, RecycleComputer, UndoKill
    from corral.farm.application.list_accounts import (
        ListAccounts,
        ListGroups,
        ListRoles,
        ShowAccount,
        ShowGroup,
    )
    from corral.farm.application.list_audit import ListAudit
    from corral.farm.application.list_backups import ListBackups
    from corral.farm.application.list_collections import ListCollections, ShowCollection
    from corral.farm.application.list_computers import (
        ListComputerEvents,
        ListComputers,
        ShowComputer,
    )
    from corral.farm.application.list_devices import ListDevices, ShowDevice
    from corral.farm.application.list_images import (
        ListImages,
        ShowImage,
        ShowVersion,
        ShowVersionHistory,
    )
    from corral.farm.application.list_library import ListLibrary, LookIntoFolder, ShowLibraryItem
    from corral.farm.application.list_machines import (
        ListComputerImages,
        ListImageUsers,
        ListUserImages,
    )
    from corral.farm.application.list_rollouts import ListRollouts, ShowRollout
    from corral.farm.application.list_servers import ListServers, ShowServer
    from corral.farm.application.list_sites import ListSites, ShowSite
    from corral.farm.application.list_stores import ListStores, ShowStore
    from corral.farm.application.list_tasks import ListTasks, ShowTask
    from corral.farm.application.list_users import (
        ListUserGroups,
        ListUsers,
        ShowUser,
        ShowUserGroup,
    )
    from corral.farm.application.log_device_in import LogDeviceIn
    from corral.farm.application.look_for_orders import LookForOrders
    from corral.farm.application.maintain_image import MaintainImage
    from corral.farm.application.mirror_to_relay import MirrorToRelay
    from corral.farm.application.move_rollout import (
        PauseRollout,
        RemoveRollout,
        ResumeRollout,
        RetryRollout,
        StopRollout,
        TakeRolloutBack,
    )
    from corral.farm.application.move_upgrade import (
        FinaliseUpgrade,
        PauseUpgrade,
        ResumeUpgrade,
        RollBackUpgrade,
    )
    from corral.farm.application.pause_task import PauseTask
    from corral.farm.application.pin_version import PinVersion, UnpinImage
    from corral.farm.application.plan_upgrade import PlanUpgrade
    from corral.farm.application.ports.backups import (
        BackupFiles,
        BackupReaders,
        DatabaseSnapshots,
        FarmFiles,
    )
    from corral.farm.application.ports.certificates import CertificateAuthority, CertificateFiles
    from corral.farm.application.ports.chunk_stores import ChunkStores
    from corral.farm.application.ports.disk_files import DiskFiles
    from corral.farm.application.ports.farm_key import FarmKey, SignatureCheck
    from corral.farm.application.ports.guest_tools import GuestTools
    from corral.farm.application.ports.image_locks import ImageLocks
    from corral.farm.application.ports.library import LibraryFiles
    from corral.farm.application.ports.passwords import Passwords
    from corral.farm.application.ports.records import Transactions
    from corral.farm.application.ports.schema import DatabaseSchema
    from corral.farm.application.ports.secret_files import SecretFiles
    from corral.farm.application.ports.sources import Clock, IdSource, TokenSource
    from corral.farm.application.ports.upgrades import CanaryReader, Reach, ReleasePrograms
    from corral.farm.application.promote_maintenance import PromoteMaintenance
    from corral.farm.application.promote_version import PromoteVersion
    from corral.farm.application.prune_tasks import PruneTasks
    from corral.farm.application.read_records import ReadRecords
    from corral.farm.application.rebalance_servers import RebalanceServers
    from corral.farm.application.receive_file import ReceiveFile
    from corral.farm.application.recognise_caller import RecogniseCaller
    from corral.farm.application.recognise_device import RecogniseDevice
    from corral.farm.application.recognise_server import RecogniseServer
    from corral.farm.application.register_computer import RegisterComputer
    from corral.farm.application.register_device import RegisterDevice
    from corral.farm.application.release_version import ReleaseVersion
    from corral.farm.application.remove_account import RemoveAccount
    from corral.farm.application.remove_collection import RemoveCollection
    from corral.farm.application.remove_device import RemoveDevice
    from corral.farm.application.remove_image import RemoveImage
    from corral.farm.application.remove_library_item import RemoveLibraryItem
    from corral.farm.application.remove_server import RemoveServer
    from corral.farm.application.remove_site import RemoveSite
    from corral.farm.application.remove_store import RemoveStore
    from corral.farm.application.replicate_version import ReplicateVersion
    from corral.farm.application.republish_image import RepublishImage
    from corral.farm.application.republish_images import ListToRepublish, RepublishImages
    from corral.farm.application.reset_device_cache import ResetDeviceCache
    from corral.farm.application.resume_task import ResumeTask
    from corral.farm.application.retire_version import RetireVersion
    from corral.farm.application.retry_task import RetryTask
    from corral.farm.application.revert_version import RevertVersion
    from corral.farm.application.roll_up_backups import RollUpBackups
    from corral.farm.application.run_task import RunTask
    from corral.farm.application.schedule_tasks import (
        AddSchedule,
        BeginScheduled,
        CancelScheduledRun,
        ListSchedules,
        RemoveSchedule,
    )
    from corral.farm.application.scrub_store import ScrubStore
    from corral.farm.application.seal_maintenance import SealMaintenance
    from corral.farm.application.seed_medium import ListMedium, SeedMedium
    from corral.farm.application.set_affinity import SetAffinity
    from corral.farm.application.set_backups import SetBackups
    from corral.farm.application.set_balance import SetBalance
    from corral.farm.application.set_device_cache import SetDeviceCache
    from corral.farm.application.set_library_folder import SetLibraryFolder
    from corral.farm.application.set_machine_policy import SetMachinePolicy, ShowMachinePolicy
    from corral.farm.application.set_password import ChangeOwnPassword, SetPassword
    from corral.farm.application.set_replication import LimitReplication, SetCopies
    from corral.farm.application.set_scrub import SetScrub
    from corral.farm.application.set_task_rules import SetTaskRules
    from corral.farm.application.show_affinity import ShowAffinity
    from corral.farm.application.show_balance import ShowBalance
    from corral.farm.application.show_farm import ShowFarm
    from corral.farm.application.show_replication import ShowReplication
    from corral.farm.application.show_schema import ShowSchema
    from corral.farm.application.show_status import ShowStatus
    from corral.farm.application.show_task_rules import ShowTaskRules
    from corral.farm.application.show_upgrade import ListUpgrades, ShowUpgrade
    from corral.farm.application.sign_in import SharedAttempts, SignIn
    from corral.farm.application.start_rollout import StartRollout
    from corral.farm.application.start_task import BeginTask, StartTask
    from corral.farm.application.start_upgrade import StartUpgrade
    from corral.farm.application.take_check_in import RecogniseComputer, TakeCheckIn
    from corral.farm.application.take_login_snapshot import TakeLoginSnapshot
    from corral.farm.application.take_server_report import TakeServerReport
    from corral.farm.application.trust_publisher import (
        DistrustPublisher,
        ListPublishers,
        TrustPublisher,
    )
    from corral.farm.application.unassign_device import UnassignDevice
    from corral.farm.application.undrain_server import UndrainServer
    from corral.farm.application.verify_backup import LayKitOut, NoteVerifiedBackup
    from corral.farm.application.verify_store import VerifyStore
    from corral.farm.application.verify_version import VerifyVersion
    from corral.farm.application.work_on_task import ClaimTask, EndTask, KeepTask
    from corral.farm.domain.access.actor import Actor

_Verb = TypeVar("_Verb")
_P = ParamSpec("_P")


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
    def certificate_authority(self) -> CertificateAuthority: ...  # noqa: D102
    @property
    def certificate_files(self) -> CertificateFiles: ...  # noqa: D102
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
    @property
    def snapshots(self) -> DatabaseSnapshots: ...  # noqa: D102
    @property
    def farm_files(self) -> FarmFiles: ...  # noqa: D102
    @property
    def backup_files(self) -> BackupFiles: ...  # noqa: D102
    @property
    def release(self) -> str: ...  # noqa: D102
    @property
    def guest_tools(self) -> GuestTools: ...  # noqa: D102
    @property
    def library_files(self) -> LibraryFiles: ...  # noqa: D102
    @property
    def backup_readers(self) -> BackupReaders: ...  # noqa: D102
    @property
    def reach(self) -> Reach: ...  # noqa: D102
    @property
    def release_programs(self) -> ReleasePrograms: ...  # noqa: D102
    @property
    def canary_reader(self) -> CanaryReader: ...  # noqa: D102
    @property
    def schema(self) -> DatabaseSchema: ...  # noqa: D102


class Verb(Generic[_Verb]):
    """A verb of the class that the annotation names, loaded and made when it is first called for.

    A command calls one or two; to load them all would take longer than most of them need. Each is
    in the module of its own name unless another is said.
    """

    def __init__(self, module: str | None = None) -> None:
        self._module = module

    def __set_name__(self, owner: type[Application], name: str) -> None:
        self._name = name
        self._module = self._module or name
        self._class = owner.__annotations__[name].removeprefix("Verb[").removesuffix("]")

    def __get__(self, application: Application, _: type[Application]) -> _Verb:
        module = import_module(f"{__package__}.{self._module}")
        verb = getattr(module, self._class)
        made: _Verb = verb(**application.given_to(verb))
        vars(application)[self._name] = made
        return made


class Application:
    """Every verb of a farm, ready to be called.

    What the verbs change is noted in the audit log as done by ``actor``. A verb's constructor says
    by the names of its parameters which ports it wants; a test makes every verb there is.
    """

    def __init__(self, ports: Ports, actor: Actor = THE_FARM) -> None:
        self._ports = ports
        self._given: dict[str, Callable[[], object]] = {
            "transactions": lambda: AuditingTransactions(ports.transactions, actor, ports.clock),
            "stores": lambda: ports.chunk_stores,
            "disk_files": lambda: ports.disk_files,
            "locks": lambda: ports.image_locks,
            "key": lambda: ports.farm_key,
            "is_signed": lambda: ports.signature_check,
            "secret_files": lambda: ports.secret_files,
            "authority": lambda: ports.certificate_authority,
            "certificates": lambda: ports.certificate_files,
            "passwords": lambda: ports.passwords,
            "attempts": lambda: ports.attempts,
            "ids": lambda: ports.ids,
            "tokens": lambda: ports.tokens,
            "clock": lambda: ports.clock,
            "snapshots": lambda: ports.snapshots,
            "farm_files": lambda: ports.farm_files,
            "files": lambda: ports.backup_files,
            "release": lambda: ports.release,
            "guest_tools": lambda: ports.guest_tools,
            "library_files": lambda: ports.library_files,
            "programs": lambda: ports.release_programs,
            "readers": lambda: ports.backup_readers,
            "reach": lambda: ports.reach,
            "canary": lambda: ports.canary_reader,
            "schema": lambda: ports.schema,
            "actor": lambda: actor,
            "by": lambda: str(actor),
            "verbs": lambda: self,
        }

    def acting_as(self, actor: Actor) -> Application:
        """Give the same verbs in somebody else's name."""
        return Application(self._ports, actor)

    def given_to(self, verb: Callable[_P, object]) -> dict[str, object]:
        """Give what the verb's constructor asks for by name; dear adapters are loaded only then."""
        return {
            name: self._given[name]() for name in signature(verb).parameters if name in self._given
        }

    @property
    def farm_key(self) -> FarmKey:
        """The key that signs what others shall believe without a database."""
        return self._ports.farm_key

    create_farm: Verb[CreateFarm] = Verb()
    sign_in: Verb[SignIn] = Verb()
    recognise_caller: Verb[RecogniseCaller] = Verb()
    add_account: Verb[AddAccount] = Verb()
    change_account: Verb[ChangeAccount] = Verb()
    remove_account: Verb[RemoveAccount] = Verb()
    set_password: Verb[SetPassword] = Verb()
    change_own_password: Verb[ChangeOwnPassword] = Verb("set_password")
    list_accounts: Verb[ListAccounts] = Verb()
    show_account: Verb[ShowAccount] = Verb("list_accounts")
    add_group: Verb[AddGroup] = Verb("edit_groups")
    change_group: Verb[ChangeGroup] = Verb("edit_groups")
    remove_group: Verb[RemoveGroup] = Verb("edit_groups")
    list_groups: Verb[ListGroups] = Verb("list_accounts")
    show_group: Verb[ShowGroup] = Verb("list_accounts")
    grant_role: Verb[GrantRole] = Verb()
    revoke_role: Verb[RevokeRole] = Verb("grant_role")
    list_roles: Verb[ListRoles] = Verb("list_accounts")
    issue_token: Verb[IssueToken] = Verb()
    list_tokens: Verb[ListTokens] = Verb("issue_token")
    revoke_token: Verb[RevokeToken] = Verb("issue_token")
    list_audit: Verb[ListAudit] = Verb()
    show_farm: Verb[ShowFarm] = Verb()
    change_farm: Verb[ChangeFarm] = Verb()
    show_status: Verb[ShowStatus] = Verb()
    add_server: Verb[AddServer] = Verb()
    list_servers: Verb[ListServers] = Verb()
    show_server: Verb[ShowServer] = Verb("list_servers")
    drain_server: Verb[DrainServer] = Verb()
    undrain_server: Verb[UndrainServer] = Verb()
    rebalance_servers: Verb[RebalanceServers] = Verb()
    check_farm: Verb[CheckFarm] = Verb()
    check_upgrade: Verb[CheckUpgrade] = Verb()
    start_upgrade: Verb[StartUpgrade] = Verb()
    advance_upgrade: Verb[AdvanceUpgrade] = Verb()
    plan_upgrade: Verb[PlanUpgrade] = Verb()
    pause_upgrade: Verb[PauseUpgrade] = Verb("move_upgrade")
    resume_upgrade: Verb[ResumeUpgrade] = Verb("move_upgrade")
    finalise_upgrade: Verb[FinaliseUpgrade] = Verb("move_upgrade")
    roll_upgrade_back: Verb[RollBackUpgrade] = Verb("move_upgrade")
    show_upgrade: Verb[ShowUpgrade] = Verb()
    list_upgrades: Verb[ListUpgrades] = Verb("show_upgrade")
    show_difference: Verb[ShowDifference] = Verb("accept_difference")
    accept_difference: Verb[AcceptDifference] = Verb()
    accept_risk: Verb[AcceptRisk] = Verb()
    withdraw_acceptance: Verb[WithdrawAcceptance] = Verb("accept_risk")
    list_acceptances: Verb[ListAcceptances] = Verb("accept_risk")
    show_schema: Verb[ShowSchema] = Verb()
    expand_schema: Verb[ExpandSchema] = Verb("change_schema")
    contract_schema: Verb[ContractSchema] = Verb("change_schema")
    certify_server: Verb[CertifyServer] = Verb("certify")
    certify_api: Verb[CertifyApi] = Verb("certify")
    show_certificates: Verb[ShowCertificates] = Verb("certify")
    set_affinity: Verb[SetAffinity] = Verb()
    show_affinity: Verb[ShowAffinity] = Verb()
    show_balance: Verb[ShowBalance] = Verb()
    set_balance: Verb[SetBalance] = Verb()
    recognise_server: Verb[RecogniseServer] = Verb()
    configure_server: Verb[ConfigureServer] = Verb()
    take_server_report: Verb[TakeServerReport] = Verb()
    verify_store: Verb[VerifyStore] = Verb()
    heal_store: Verb[HealStore] = Verb()
    collect_store: Verb[CollectStore] = Verb()
    scrub_store: Verb[ScrubStore] = Verb()
    import_image: Verb[ImportImage] = Verb()
    republish_image: Verb[RepublishImage] = Verb()
    republish_images: Verb[RepublishImages] = Verb()
    list_to_republish: Verb[ListToRepublish] = Verb("republish_images")
    list_images: Verb[ListImages] = Verb()
    show_image: Verb[ShowImage] = Verb("list_images")
    show_version: Verb[ShowVersion] = Verb("list_images")
    show_version_history: Verb[ShowVersionHistory] = Verb("list_images")
    verify_version: Verb[VerifyVersion] = Verb()
    export_version: Verb[ExportVersion] = Verb()
    seed_medium: Verb[SeedMedium] = Verb()
    list_medium: Verb[ListMedium] = Verb("seed_medium")
    delete_version: Verb[DeleteVersion] = Verb()
    promote_version: Verb[PromoteVersion] = Verb()
    release_version: Verb[ReleaseVersion] = Verb()
    revert_version: Verb[RevertVersion] = Verb()
    retire_version: Verb[RetireVersion] = Verb()
    pin_version: Verb[PinVersion] = Verb()
    unpin_image: Verb[UnpinImage] = Verb("pin_version")
    describe_version: Verb[DescribeVersion] = Verb()
    change_image: Verb[ChangeImage] = Verb()
    remove_image: Verb[RemoveImage] = Verb()
    set_device_cache: Verb[SetDeviceCache] = Verb()
    maintain_image: Verb[MaintainImage] = Verb()
    promote_maintenance: Verb[PromoteMaintenance] = Verb()
    seal_maintenance: Verb[SealMaintenance] = Verb()
    discard_maintenance: Verb[DiscardMaintenance] = Verb()
    reset_device_cache: Verb[ResetDeviceCache] = Verb()
    replicate_version: Verb[ReplicateVersion] = Verb()
    mirror_to_relay: Verb[MirrorToRelay] = Verb()
    set_copies: Verb[SetCopies] = Verb("set_replication")
    limit_replication: Verb[LimitReplication] = Verb("set_replication")
    set_scrub: Verb[SetScrub] = Verb()
    show_replication: Verb[ShowReplication] = Verb()
    register_device: Verb[RegisterDevice] = Verb()
    assign_device: Verb[AssignDevice] = Verb()
    unassign_device: Verb[UnassignDevice] = Verb()
    list_devices: Verb[ListDevices] = Verb()
    show_device: Verb[ShowDevice] = Verb("list_devices")
    recognise_device: Verb[RecogniseDevice] = Verb()
    take_login_snapshot: Verb[TakeLoginSnapshot] = Verb()
    log_device_in: Verb[LogDeviceIn] = Verb()
    add_site: Verb[AddSite] = Verb()
    list_sites: Verb[ListSites] = Verb()
    show_site: Verb[ShowSite] = Verb("list_sites")
    change_site: Verb[ChangeSite] = Verb()
    remove_site: Verb[RemoveSite] = Verb()
    add_collection: Verb[AddCollection] = Verb()
    list_collections: Verb[ListCollections] = Verb()
    show_collection: Verb[ShowCollection] = Verb("list_collections")
    change_collection: Verb[ChangeCollection] = Verb()
    remove_collection: Verb[RemoveCollection] = Verb()
    add_store: Verb[AddStore] = Verb()
    list_stores: Verb[ListStores] = Verb()
    show_store: Verb[ShowStore] = Verb("list_stores")
    change_store: Verb[ChangeStore] = Verb()
    remove_store: Verb[RemoveStore] = Verb()
    change_server: Verb[ChangeServer] = Verb()
    remove_server: Verb[RemoveServer] = Verb()
    import_devices: Verb[ImportDevices] = Verb()
    change_device: Verb[ChangeDevice] = Verb()
    remove_device: Verb[RemoveDevice] = Verb()
    create_backup: Verb[CreateBackup] = Verb()
    list_backups: Verb[ListBackups] = Verb()
    roll_up_backups: Verb[RollUpBackups] = Verb()
    set_backups: Verb[SetBackups] = Verb()
    note_verified_backup: Verb[NoteVerifiedBackup] = Verb("verify_backup")
    lay_kit_out: Verb[LayKitOut] = Verb("verify_backup")
    read_records: Verb[ReadRecords] = Verb()
    import_into_library: Verb[ImportIntoLibrary] = Verb()
    list_library: Verb[ListLibrary] = Verb()
    show_library_item: Verb[ShowLibraryItem] = Verb("list_library")
    remove_library_item: Verb[RemoveLibraryItem] = Verb()
    receive_file: Verb[ReceiveFile] = Verb()
    look_into_folder: Verb[LookIntoFolder] = Verb("list_library")
    set_library_folder: Verb[SetLibraryFolder] = Verb()
    trust_publisher: Verb[TrustPublisher] = Verb()
    distrust_publisher: Verb[DistrustPublisher] = Verb("trust_publisher")
    list_publishers: Verb[ListPublishers] = Verb("trust_publisher")
    assign_kit: Verb[AssignKit] = Verb()
    unassign_kit: Verb[UnassignKit] = Verb("assign_kit")
    retry_kit: Verb[RetryKit] = Verb("assign_kit")
    list_kit_computers: Verb[ListKitComputers] = Verb("assign_kit")
    list_computer_kits: Verb[ListComputerKits] = Verb("assign_kit")
    start_rollout: Verb[StartRollout] = Verb()
    pause_rollout: Verb[PauseRollout] = Verb("move_rollout")
    resume_rollout: Verb[ResumeRollout] = Verb("move_rollout")
    stop_rollout: Verb[StopRollout] = Verb("move_rollout")
    take_rollout_back: Verb[TakeRolloutBack] = Verb("move_rollout")
    retry_rollout: Verb[RetryRollout] = Verb("move_rollout")
    remove_rollout: Verb[RemoveRollout] = Verb("move_rollout")
    list_rollouts: Verb[ListRollouts] = Verb()
    show_rollout: Verb[ShowRollout] = Verb("list_rollouts")
    start_task: Verb[StartTask] = Verb()
    begin_task: Verb[BeginTask] = Verb("start_task")
    claim_task: Verb[ClaimTask] = Verb("work_on_task")
    keep_task: Verb[KeepTask] = Verb("work_on_task")
    end_task: Verb[EndTask] = Verb("work_on_task")
    dispatch_tasks: Verb[DispatchTasks] = Verb()
    list_tasks: Verb[ListTasks] = Verb()
    show_task: Verb[ShowTask] = Verb("list_tasks")
    cancel_task: Verb[CancelTask] = Verb()
    pause_task: Verb[PauseTask] = Verb()
    resume_task: Verb[ResumeTask] = Verb()
    retry_task: Verb[RetryTask] = Verb()
    run_task: Verb[RunTask] = Verb()
    add_schedule: Verb[AddSchedule] = Verb("schedule_tasks")
    list_schedules: Verb[ListSchedules] = Verb("schedule_tasks")
    remove_schedule: Verb[RemoveSchedule] = Verb("schedule_tasks")
    cancel_scheduled_run: Verb[CancelScheduledRun] = Verb("schedule_tasks")
    follow_sealing: Verb[FollowSealing] = Verb("follow_work")
    follow_moves: Verb[FollowMoves] = Verb("follow_work")
    begin_scheduled: Verb[BeginScheduled] = Verb("schedule_tasks")
    forget_worker: Verb[ForgetWorker] = Verb()
    prune_tasks: Verb[PruneTasks] = Verb()
    show_task_rules: Verb[ShowTaskRules] = Verb()
    set_task_rules: Verb[SetTaskRules] = Verb()
    add_user: Verb[AddUser] = Verb("edit_users")
    change_user: Verb[ChangeUser] = Verb("edit_users")
    remove_user: Verb[RemoveUser] = Verb("edit_users")
    list_users: Verb[ListUsers] = Verb()
    show_user: Verb[ShowUser] = Verb("list_users")
    add_user_group: Verb[AddUserGroup] = Verb("edit_user_groups")
    change_user_group: Verb[ChangeUserGroup] = Verb("edit_user_groups")
    remove_user_group: Verb[RemoveUserGroup] = Verb("edit_user_groups")
    list_user_groups: Verb[ListUserGroups] = Verb("list_users")
    show_user_group: Verb[ShowUserGroup] = Verb("list_users")
    assign_image: Verb[AssignImage] = Verb()
    unassign_image: Verb[UnassignImage] = Verb("assign_image")
    list_image_users: Verb[ListImageUsers] = Verb("list_machines")
    list_user_images: Verb[ListUserImages] = Verb("list_machines")
    list_computer_images: Verb[ListComputerImages] = Verb("list_machines")
    set_machine_policy: Verb[SetMachinePolicy] = Verb()
    show_machine_policy: Verb[ShowMachinePolicy] = Verb("set_machine_policy")
    issue_code: Verb[IssueCode] = Verb()
    list_codes: Verb[ListCodes] = Verb("issue_code")
    revoke_code: Verb[RevokeCode] = Verb("issue_code")
    register_computer: Verb[RegisterComputer] = Verb()
    approve_computer: Verb[ApproveComputer] = Verb("admit_computer")
    refuse_computer: Verb[RefuseComputer] = Verb("admit_computer")
    list_computers: Verb[ListComputers] = Verb()
    show_computer: Verb[ShowComputer] = Verb("list_computers")
    list_computer_events: Verb[ListComputerEvents] = Verb("list_computers")
    change_computer: Verb[ChangeComputer] = Verb()
    retry_machine: Verb[RetryMachine] = Verb("change_computer")
    kill_computer: Verb[KillComputer] = Verb()
    undo_kill: Verb[UndoKill] = Verb("kill_computer")
    recycle_computer: Verb[RecycleComputer] = Verb("kill_computer")
    delete_computer: Verb[DeleteComputer] = Verb("admit_computer")
    recognise_computer: Verb[RecogniseComputer] = Verb("take_check_in")
    take_check_in: Verb[TakeCheckIn] = Verb()
    look_for_orders: Verb[LookForOrders] = Verb()
