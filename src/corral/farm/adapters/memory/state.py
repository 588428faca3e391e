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
    from corral.farm.domain.delivery.device import Device, DeviceId
    from corral.farm.domain.delivery.move import OrderedMove
    from corral.farm.domain.delivery.place import Place
    from corral.farm.domain.delivery.ranking import Affinity
    from corral.farm.domain.delivery.rebalance import BalanceRules
    from corral.farm.domain.delivery.session import Session
    from corral.farm.domain.estate.collection import Collection, CollectionId
    from corral.farm.domain.estate.farm import Farm
    from corral.farm.domain.estate.server import Server, ServerId
    from corral.farm.domain.estate.site import Site, SiteId
    from corral.farm.domain.estate.store import Store, StoreId
    from corral.farm.domain.image.change import VersionChange
    from corral.farm.domain.image.image import Image, ImageId
    from corral.farm.domain.image.overlay import Overlay, OverlayId
    from corral.farm.domain.image.replica import Replica
    from corral.farm.domain.image.root import RootHash
    from corral.farm.domain.image.version import Version, VersionName
    from corral.farm.domain.image.write_cache import DeviceCache
    from corral.farm.domain.task.number import TaskNumber
    from corral.farm.domain.task.schedule import Schedule, ScheduleName
    from corral.farm.domain.task.task import LogLine, Task
    from corral.farm.domain.task.worker import Worker

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
    images: dict[ImageId, Image] = field(default_factory=dict)
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
            images=dict(self.images),
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
        )
