"""The farm's records in memory."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from threading import RLock
from typing import TYPE_CHECKING

from corral.farm.adapters.memory.accounts import (
    MemoryAccessTokens,
    MemoryAccounts,
    MemoryGroups,
    MemoryRoleGrants,
)
from corral.farm.adapters.memory.affinities import MemoryAffinities
from corral.farm.adapters.memory.audit import MemoryAudit
from corral.farm.adapters.memory.backups import (
    MemoryBackupRules,
    MemoryBackups,
    MemoryObservations,
    MemoryRestorations,
)
from corral.farm.adapters.memory.computers import (
    MemoryCheckIns,
    MemoryComputerEvents,
    MemoryComputerOrders,
    MemoryComputers,
    MemoryRegistrationCodes,
)
from corral.farm.adapters.memory.delivery import MemoryDevices, MemorySessions
from corral.farm.adapters.memory.device_caches import MemoryDeviceCaches
from corral.farm.adapters.memory.device_places import MemoryPlaces
from corral.farm.adapters.memory.images import MemoryImages, MemoryReplicas, MemoryVersions
from corral.farm.adapters.memory.library import (
    MemoryLibraryItems,
    MemoryLibraryRules,
    MemoryPublishers,
)
from corral.farm.adapters.memory.moves import MemoryBalance, MemoryMoves
from corral.farm.adapters.memory.overlays import MemoryOverlays
from corral.farm.adapters.memory.places import MemoryCollections, MemorySites, MemoryStores
from corral.farm.adapters.memory.rollouts import (
    MemoryKitAssignments,
    MemoryRolloutMembers,
    MemoryRollouts,
)
from corral.farm.adapters.memory.state import State
from corral.farm.adapters.memory.task_rules import MemoryTaskRules
from corral.farm.adapters.memory.tasks import MemorySchedules, MemoryTasks, MemoryWorkers
from corral.farm.adapters.memory.upgrades import (
    MemoryAcceptances,
    MemoryBlueprints,
    MemoryCanaries,
    MemoryConsoles,
    MemoryReleaseOrders,
    MemoryUpgrades,
)
from corral.farm.adapters.memory.users import (
    MemoryImageAssignments,
    MemoryImagePolicies,
    MemoryUserGroups,
    MemoryUsers,
)
from corral.farm.adapters.memory.version_changes import MemoryVersionChanges
from corral.farm.domain.estate.errors import (
    FarmExistsError,
    FarmUnknownError,
    ServerChangedError,
    ServerNameTakenError,
    ServerUnknownError,
    StoreTakenError,
)
from corral.farm.domain.estate.farm import FarmChangedError
from corral.farm.domain.estate.server import FormerServer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from corral.farm.domain.access.token import TokenDigest
    from corral.farm.domain.estate.farm import Farm
    from corral.farm.domain.estate.server import LastReport, Server, ServerId, ServerName


class MemoryFarmRecord:
    """The farm itself."""

    def __init__(self, state: State) -> None:
        self._state = state

    def set_up(self, farm: Farm) -> None:
        """Remember the farm; once."""
        if self._state.farm is not None:
            raise FarmExistsError(self._state.farm.name)
        self._state.farm = farm

    def get(self) -> Farm:
        """Give the farm."""
        if self._state.farm is None:
            where = "memory"
            raise FarmUnknownError(where)
        return self._state.farm

    def change(self, seen: Farm, after: Farm) -> Farm:
        """Change it if it is still at the revision that was seen."""
        known = self.get()
        if known.revision != seen.revision:
            raise FarmChangedError(seen.name)
        self._state.farm = replace(
            known,
            name=after.name,
            api_urls=after.api_urls,
            former_api_urls=after.former_api_urls,
            revision=seen.revision + 1,
        )
        return self._state.farm

    def raise_generation(self) -> None:
        """Add one."""
        farm = self.get()
        self._state.farm = replace(farm, generation=farm.generation + 1)

    def raise_generation_to(self, generation: int) -> None:
        """Begin to count anew, above everything that was said before."""
        farm = self.get()
        self._state.farm = replace(farm, generation=max(generation, farm.generation + 1))


class MemoryServers:
    """Servers by id."""

    def __init__(self, state: State) -> None:
        self._state = state

    def add(self, server: Server) -> None:
        """Add one."""
        self._refuse_taken(server)
        self._state.servers[server.id] = server

    def change(self, seen: Server, after: Server) -> Server:
        """Put ``after`` in the place of ``seen`` if that is still what is there."""
        known = self._state.servers.get(seen.id)
        if known is None:
            raise ServerUnknownError(seen.name)
        if known.revision != seen.revision:
            raise ServerChangedError(seen.name)
        self._refuse_taken(after)
        changed = replace(
            after, id=seen.id, last_report=known.last_report, revision=seen.revision + 1
        )
        self._state.servers[seen.id] = changed
        return changed

    def get(self, name: ServerName) -> Server:
        """Give the one of that name."""
        for server in self._state.servers.values():
            if server.name == name:
                return server
        raise ServerUnknownError(name)

    def with_id(self, server_id: ServerId) -> Server:
        """Give the one with that id."""
        try:
            return self._state.servers[server_id]
        except KeyError:
            raise ServerUnknownError(str(server_id)) from None

    def with_token(self, digest: TokenDigest) -> Server | None:
        """Give the one whose token has that digest."""
        return next((s for s in self._state.servers.values() if s.token_digest == digest), None)

    def all(self) -> Sequence[Server]:
        """Give all of them."""
        return sorted(self._state.servers.values(), key=lambda server: server.name)

    def set_draining(self, server_id: ServerId, *, draining: bool) -> None:
        """Set or clear the flag."""
        server = self.with_id(server_id)
        self._state.servers[server_id] = server.drained(draining=draining)

    def set_report(self, server_id: ServerId, report: LastReport) -> None:
        """Overwrite the last report."""
        self._state.servers[server_id] = replace(self.with_id(server_id), last_report=report)

    def remove(self, server_id: ServerId, now: datetime) -> None:
        """Forget it, but for its token."""
        server = self._state.servers.pop(server_id)
        self._state.sessions.pop(server_id, None)
        self._state.release_orders.pop(server_id, None)
        self._state.canaries.pop(server_id, None)
        self._state.former_servers[server.token_digest] = FormerServer(server.name, now)
        for device in list(self._state.devices.values()):
            login = device.last_login
            if login is not None and login.server_id == server_id:
                nowhere = replace(login, server_id=None)
                self._state.devices[device.id] = device.logged_in(nowhere)

    def with_former_token(self, digest: TokenDigest) -> FormerServer | None:
        """Give the removed one whose token had that digest."""
        return self._state.former_servers.get(digest)

    def _refuse_taken(self, server: Server) -> None:
        others = [one for one in self.all() if one.id != server.id]
        if any(one.name == server.name for one in others):
            raise ServerNameTakenError(server.name)
        shared = self._state.stores[server.store.belongs_to].shared
        for other in others:
            if server.store.clashes_with(other.store, shared=shared):
                raise StoreTakenError(server.store.path, other.name)


@dataclass(frozen=True)
class MemoryRecords:
    """Every repository on one state."""

    farm: MemoryFarmRecord
    accounts: MemoryAccounts
    groups: MemoryGroups
    role_grants: MemoryRoleGrants
    access_tokens: MemoryAccessTokens
    sites: MemorySites
    collections: MemoryCollections
    stores: MemoryStores
    servers: MemoryServers
    images: MemoryImages
    versions: MemoryVersions
    replicas: MemoryReplicas
    devices: MemoryDevices
    sessions: MemorySessions
    version_changes: MemoryVersionChanges
    device_caches: MemoryDeviceCaches
    overlays: MemoryOverlays
    audit: MemoryAudit
    places: MemoryPlaces
    affinities: MemoryAffinities
    moves: MemoryMoves
    balance: MemoryBalance
    tasks: MemoryTasks
    schedules: MemorySchedules
    workers: MemoryWorkers
    task_rules: MemoryTaskRules
    backups: MemoryBackups
    backup_rules: MemoryBackupRules
    restorations: MemoryRestorations
    observations: MemoryObservations
    library_items: MemoryLibraryItems
    publishers: MemoryPublishers
    library_rules: MemoryLibraryRules
    rollouts: MemoryRollouts
    rollout_members: MemoryRolloutMembers
    kit_assignments: MemoryKitAssignments
    users: MemoryUsers
    user_groups: MemoryUserGroups
    image_assignments: MemoryImageAssignments
    image_policies: MemoryImagePolicies
    computers: MemoryComputers
    registration_codes: MemoryRegistrationCodes
    check_ins: MemoryCheckIns
    computer_events: MemoryComputerEvents
    computer_orders: MemoryComputerOrders
    upgrades: MemoryUpgrades
    blueprints: MemoryBlueprints
    release_orders: MemoryReleaseOrders
    canaries: MemoryCanaries
    acceptances: MemoryAcceptances
    consoles: MemoryConsoles

    @classmethod
    def on(cls, state: State) -> MemoryRecords:
        """Make them all."""
        return cls(
            farm=MemoryFarmRecord(state),
            accounts=MemoryAccounts(state),
            groups=MemoryGroups(state),
            role_grants=MemoryRoleGrants(state),
            access_tokens=MemoryAccessTokens(state),
            sites=MemorySites(state),
            collections=MemoryCollections(state),
            stores=MemoryStores(state),
            servers=MemoryServers(state),
            images=MemoryImages(state),
            versions=MemoryVersions(state),
            replicas=MemoryReplicas(state),
            devices=MemoryDevices(state),
            sessions=MemorySessions(state),
            version_changes=MemoryVersionChanges(state),
            device_caches=MemoryDeviceCaches(state),
            overlays=MemoryOverlays(state),
            audit=MemoryAudit(state),
            places=MemoryPlaces(state),
            affinities=MemoryAffinities(state),
            moves=MemoryMoves(state),
            balance=MemoryBalance(state),
            tasks=MemoryTasks(state),
            schedules=MemorySchedules(state),
            workers=MemoryWorkers(state),
            task_rules=MemoryTaskRules(state),
            backups=MemoryBackups(state),
            backup_rules=MemoryBackupRules(state),
            restorations=MemoryRestorations(state),
            observations=MemoryObservations(state),
            library_items=MemoryLibraryItems(state),
            publishers=MemoryPublishers(state),
            library_rules=MemoryLibraryRules(state),
            rollouts=MemoryRollouts(state),
            rollout_members=MemoryRolloutMembers(state),
            kit_assignments=MemoryKitAssignments(state),
            users=MemoryUsers(state),
            user_groups=MemoryUserGroups(state),
            image_assignments=MemoryImageAssignments(state),
            image_policies=MemoryImagePolicies(state),
            computers=MemoryComputers(state),
            registration_codes=MemoryRegistrationCodes(state),
            check_ins=MemoryCheckIns(state),
            computer_events=MemoryComputerEvents(state),
            computer_orders=MemoryComputerOrders(state),
            upgrades=MemoryUpgrades(state),
            blueprints=MemoryBlueprints(state),
            release_orders=MemoryReleaseOrders(state),
            canaries=MemoryCanaries(state),
            acceptances=MemoryAcceptances(state),
            consoles=MemoryConsoles(state),
        )


@dataclass
class MemoryTransactions:
    """A state that each writing block replaces as a whole."""

    _state: State = field(default_factory=State)
    _writers: RLock = field(default_factory=RLock)

    def set_up(self) -> None:
        """Nothing to do: the state is as new as the code."""

    def kept(self) -> State:
        """Give what a backup of this moment would hold."""
        return self._state.copy()

    def put_back(self, kept: State) -> None:
        """Forget all that was written since."""
        with self._writers:
            self._state = kept.copy()

    @contextmanager
    def reading(self) -> Iterator[MemoryRecords]:
        """Look at a copy."""
        yield MemoryRecords.on(self._state.copy())

    @contextmanager
    def writing(self) -> Iterator[MemoryRecords]:
        """Change a copy, which becomes the state if the block ends well."""
        with self._writers:
            state = self._state.copy()
            yield MemoryRecords.on(state)
            self._state = state
