"""Everything that a farm in memory remembers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from corral.farm.domain.estate.collection import FIRST_COLLECTION
from corral.farm.domain.estate.site import FIRST_SITE
from corral.farm.domain.estate.store import FIRST_STORE

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from corral.farm.application.ports.backups import Restoration
    from corral.farm.domain.access.access_token import AccessToken, AccessTokenId
    from corral.farm.domain.access.account import (
        Account,
        AccountId,
        Group,
        GroupId,
        RoleGrant,
        RoleGrantId,
    )
    from corral.farm.domain.access.audit import Entry
    from corral.farm.domain.access.token import TokenDigest
    from corral.farm.domain.backup.backup import Backup, BackupId, BackupRules
    from corral.farm.domain.backup.observation import Observation
    from corral.farm.domain.computer.assignment import AssignmentId, ImageAssignment
    from corral.farm.domain.computer.check_in import CheckIn, ComputerNews, GivenOrders
    from corral.farm.domain.computer.code import RegistrationCode, RegistrationCodeId
    from corral.farm.domain.computer.computer import Computer, ComputerId
    from corral.farm.domain.computer.policy import ImagePolicy
    from corral.farm.domain.computer.user import User, UserGroup, UserGroupId, UserId
    from corral.farm.domain.delivery.device import Device, DeviceId
    from corral.farm.domain.delivery.move import OrderedMove
    from corral.farm.domain.delivery.place import Place
    from corral.farm.domain.delivery.ranking import Affinity
    from corral.farm.domain.delivery.rebalance import BalanceRules
    from corral.farm.domain.delivery.session import Session
    from corral.farm.domain.estate.collection import Collection, CollectionId
    from corral.farm.domain.estate.farm import Farm
    from corral.farm.domain.estate.releases import ReleaseOrder
    from corral.farm.domain.estate.server import FormerServer, Server, ServerId
    from corral.farm.domain.estate.site import Site, SiteId
    from corral.farm.domain.estate.store import Store, StoreId
    from corral.farm.domain.image.change import VersionChange
    from corral.farm.domain.image.image import Image, ImageId, ImageName
    from corral.farm.domain.image.overlay import Overlay, OverlayId
    from corral.farm.domain.image.replica import Replica
    from corral.farm.domain.image.root import RootHash
    from corral.farm.domain.image.version import Version, VersionName
    from corral.farm.domain.image.write_cache import DeviceCache
    from corral.farm.domain.library.assignment import KitAssignment
    from corral.farm.domain.library.item import Item, ItemId
    from corral.farm.domain.library.kit import Publisher, PublisherId
    from corral.farm.domain.library.rules import LibraryRules
    from corral.farm.domain.rollout.member import Member, MemberId
    from corral.farm.domain.rollout.rollout import Rollout, RolloutId
    from corral.farm.domain.task.number import TaskNumber
    from corral.farm.domain.task.rules import TaskRules
    from corral.farm.domain.task.schedule import Schedule, ScheduleName
    from corral.farm.domain.task.task import LogLine, Task
    from corral.farm.domain.task.worker import Worker
    from corral.farm.domain.upgrade.acceptance import Acceptance, AcceptanceId
    from corral.farm.domain.upgrade.blueprint import Blueprint
    from corral.farm.domain.upgrade.inventory import Canary, SeenConsole
    from corral.farm.domain.upgrade.upgrade import Upgrade, UpgradeId

    ReplicaKey: TypeAlias = tuple[ServerId, RootHash]


@dataclass
class State:
    """Values are frozen, so that a copy of the mappings is a copy of everything."""

    farm: Farm | None = None
    accounts: dict[AccountId, Account] = field(default_factory=dict)
    groups: dict[GroupId, Group] = field(default_factory=dict)
    role_grants: dict[RoleGrantId, RoleGrant] = field(default_factory=dict)
    access_tokens: dict[AccessTokenId, AccessToken] = field(default_factory=dict)
    sites: dict[SiteId, Site] = field(default_factory=lambda: {FIRST_SITE.id: FIRST_SITE})
    collections: dict[CollectionId, Collection] = field(
        default_factory=lambda: {FIRST_COLLECTION.id: FIRST_COLLECTION}
    )
    stores: dict[StoreId, Store] = field(default_factory=lambda: {FIRST_STORE.id: FIRST_STORE})
    servers: dict[ServerId, Server] = field(default_factory=dict)
    former_servers: dict[TokenDigest, FormerServer] = field(default_factory=dict)
    images: dict[ImageId, Image] = field(default_factory=dict)
    former_images: dict[ImageName, int] = field(default_factory=dict)
    versions: dict[VersionName, Version] = field(default_factory=dict)
    replicas: dict[ReplicaKey, Replica] = field(default_factory=dict)
    devices: dict[DeviceId, Device] = field(default_factory=dict)
    sessions: dict[ServerId, tuple[Session, ...]] = field(default_factory=dict)
    version_changes: tuple[VersionChange, ...] = ()
    device_caches: dict[DeviceId, DeviceCache] = field(default_factory=dict)
    overlays: dict[OverlayId, Overlay] = field(default_factory=dict)
    audit: list[Entry] = field(default_factory=list)
    places: dict[DeviceId, Place] = field(default_factory=dict)
    moves: dict[DeviceId, OrderedMove] = field(default_factory=dict)
    affinities: dict[UUID, Affinity] = field(default_factory=dict)
    balance: BalanceRules | None = None
    balanced_at: datetime | None = None
    tasks: dict[TaskNumber, Task] = field(default_factory=dict)
    task_logs: dict[TaskNumber, tuple[LogLine, ...]] = field(default_factory=dict)
    schedules: dict[ScheduleName, Schedule] = field(default_factory=dict)
    workers: dict[str, Worker] = field(default_factory=dict)
    task_rules: TaskRules | None = None
    backups: dict[BackupId, Backup] = field(default_factory=dict)
    backup_rules: BackupRules | None = None
    restoration: Restoration | None = None
    observations: dict[ServerId, Observation] = field(default_factory=dict)
    library_items: dict[ItemId, Item] = field(default_factory=dict)
    publishers: dict[PublisherId, Publisher] = field(default_factory=dict)
    library_rules: LibraryRules | None = None
    rollouts: dict[RolloutId, Rollout] = field(default_factory=dict)
    rollouts_looked_at: dict[RolloutId, datetime] = field(default_factory=dict)
    rollout_members: dict[RolloutId, dict[MemberId, Member]] = field(default_factory=dict)
    kit_assignments: dict[ComputerId, KitAssignment] = field(default_factory=dict)
    users: dict[UserId, User] = field(default_factory=dict)
    user_groups: dict[UserGroupId, UserGroup] = field(default_factory=dict)
    image_assignments: dict[AssignmentId, ImageAssignment] = field(default_factory=dict)
    image_policies: dict[ImageId, ImagePolicy] = field(default_factory=dict)
    computers: dict[ComputerId, Computer] = field(default_factory=dict)
    registration_codes: dict[RegistrationCodeId, RegistrationCode] = field(default_factory=dict)
    check_ins: dict[ComputerId, CheckIn] = field(default_factory=dict)
    computer_events: dict[ComputerId, tuple[ComputerNews, ...]] = field(default_factory=dict)
    computer_orders: dict[ComputerId, GivenOrders] = field(default_factory=dict)
    upgrades: dict[UpgradeId, Upgrade] = field(default_factory=dict)
    blueprints: dict[int, Blueprint] = field(default_factory=dict)
    release_orders: dict[ServerId, ReleaseOrder] = field(default_factory=dict)
    canaries: dict[ServerId, Canary] = field(default_factory=dict)
    acceptances: dict[AcceptanceId, Acceptance] = field(default_factory=dict)
    consoles: dict[str, SeenConsole] = field(default_factory=dict)

    def copy(self) -> State:
        """Give a state that can be changed without changing this one."""
        return State(
            farm=self.farm,
            accounts=dict(self.accounts),
            groups=dict(self.groups),
            role_grants=dict(self.role_grants),
            access_tokens=dict(self.access_tokens),
            sites=dict(self.sites),
            collections=dict(self.collections),
            stores=dict(self.stores),
            servers=dict(self.servers),
            former_servers=dict(self.former_servers),
            images=dict(self.images),
            former_images=dict(self.former_images),
            versions=dict(self.versions),
            replicas=dict(self.replicas),
            devices=dict(self.devices),
            sessions=dict(self.sessions),
            version_changes=self.version_changes,
            device_caches=dict(self.device_caches),
            overlays=dict(self.overlays),
            audit=list(self.audit),
            places=dict(self.places),
            moves=dict(self.moves),
            affinities=dict(self.affinities),
            balance=self.balance,
            balanced_at=self.balanced_at,
            tasks=dict(self.tasks),
            task_logs=dict(self.task_logs),
            schedules=dict(self.schedules),
            workers=dict(self.workers),
            task_rules=self.task_rules,
            backups=dict(self.backups),
            backup_rules=self.backup_rules,
            restoration=self.restoration,
            observations=dict(self.observations),
            library_items=dict(self.library_items),
            publishers=dict(self.publishers),
            library_rules=self.library_rules,
            rollouts=dict(self.rollouts),
            rollouts_looked_at=dict(self.rollouts_looked_at),
            rollout_members={one: dict(these) for one, these in self.rollout_members.items()},
            kit_assignments=dict(self.kit_assignments),
            users=dict(self.users),
            user_groups=dict(self.user_groups),
            image_assignments=dict(self.image_assignments),
            image_policies=dict(self.image_policies),
            computers=dict(self.computers),
            registration_codes=dict(self.registration_codes),
            check_ins=dict(self.check_ins),
            computer_events=dict(self.computer_events),
            computer_orders=dict(self.computer_orders),
            upgrades=dict(self.upgrades),
            blueprints=dict(self.blueprints),
            release_orders=dict(self.release_orders),
            canaries=dict(self.canaries),
            acceptances=dict(self.acceptances),
            consoles=dict(self.consoles),
        )
