"""Units of work on a relational database."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING
from weakref import finalize

from sqlalchemy import QueuePool
from sqlalchemy.exc import DBAPIError

from corral.farm.adapters.sql import schema
from corral.farm.adapters.sql.accounts import (
    SqlAccessTokens,
    SqlAccounts,
    SqlGroups,
    SqlRoleGrants,
)
from corral.farm.adapters.sql.affinities import SqlAffinities
from corral.farm.adapters.sql.audit import SqlAudit
from corral.farm.adapters.sql.backups import SqlBackupRules, SqlBackups
from corral.farm.adapters.sql.computers import (
    SqlCheckIns,
    SqlComputerEvents,
    SqlComputerOrders,
    SqlComputers,
    SqlRegistrationCodes,
)
from corral.farm.adapters.sql.delivery import SqlDevices, SqlSessions
from corral.farm.adapters.sql.device_caches import SqlDeviceCaches
from corral.farm.adapters.sql.device_places import SqlPlaces
from corral.farm.adapters.sql.engine import open_engine, wait_for_nobody
from corral.farm.adapters.sql.estate import SqlFarmRecord, SqlServers
from corral.farm.adapters.sql.failures import translated
from corral.farm.adapters.sql.images import SqlImages, SqlReplicas, SqlVersions
from corral.farm.adapters.sql.library import SqlLibraryItems, SqlLibraryRules, SqlPublishers
from corral.farm.adapters.sql.moves import SqlBalance, SqlMoves
from corral.farm.adapters.sql.options import WRITING
from corral.farm.adapters.sql.overlays import SqlOverlays
from corral.farm.adapters.sql.places import SqlCollections, SqlSites, SqlStores
from corral.farm.adapters.sql.restorations import SqlObservations, SqlRestorations
from corral.farm.adapters.sql.rollouts import (
    SqlKitAssignments,
    SqlRolloutMembers,
    SqlRollouts,
)
from corral.farm.adapters.sql.task_rules import SqlTaskRules
from corral.farm.adapters.sql.tasks import SqlSchedules, SqlTasks, SqlWorkers
from corral.farm.adapters.sql.upgrades import (
    SqlAcceptances,
    SqlBlueprints,
    SqlCanaries,
    SqlConsoles,
    SqlReleaseOrders,
    SqlUpgrades,
)
from corral.farm.adapters.sql.users import (
    SqlImageAssignments,
    SqlImagePolicies,
    SqlUserGroups,
    SqlUsers,
)
from corral.farm.adapters.sql.version_changes import SqlVersionChanges
from corral.farm.domain.errors import DomainError
from corral.farm.domain.library.release import Release
from corral.farm.domain.upgrade.errors import ConsoleTooOldError
from corral.farm.domain.upgrade.inventory import LATELY
from corral.farm.domain.upgrade.schema import Opening

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection, Engine

    from corral.farm.domain.upgrade.inventory import SeenConsole


@dataclass(frozen=True)
class SqlRecords:
    """Every repository on one connection."""

    farm: SqlFarmRecord
    accounts: SqlAccounts
    groups: SqlGroups
    role_grants: SqlRoleGrants
    access_tokens: SqlAccessTokens
    sites: SqlSites
    collections: SqlCollections
    stores: SqlStores
    servers: SqlServers
    images: SqlImages
    versions: SqlVersions
    replicas: SqlReplicas
    devices: SqlDevices
    sessions: SqlSessions
    version_changes: SqlVersionChanges
    device_caches: SqlDeviceCaches
    overlays: SqlOverlays
    audit: SqlAudit
    places: SqlPlaces
    affinities: SqlAffinities
    moves: SqlMoves
    balance: SqlBalance
    tasks: SqlTasks
    schedules: SqlSchedules
    workers: SqlWorkers
    task_rules: SqlTaskRules
    backups: SqlBackups
    backup_rules: SqlBackupRules
    restorations: SqlRestorations
    observations: SqlObservations
    library_items: SqlLibraryItems
    publishers: SqlPublishers
    library_rules: SqlLibraryRules
    rollouts: SqlRollouts
    rollout_members: SqlRolloutMembers
    kit_assignments: SqlKitAssignments
    users: SqlUsers
    user_groups: SqlUserGroups
    image_assignments: SqlImageAssignments
    image_policies: SqlImagePolicies
    computers: SqlComputers
    registration_codes: SqlRegistrationCodes
    check_ins: SqlCheckIns
    computer_events: SqlComputerEvents
    computer_orders: SqlComputerOrders
    upgrades: SqlUpgrades
    blueprints: SqlBlueprints
    release_orders: SqlReleaseOrders
    canaries: SqlCanaries
    acceptances: SqlAcceptances
    consoles: SqlConsoles

    @classmethod
    def on(cls, connection: Connection) -> SqlRecords:
        """Make them all."""
        return cls(
            farm=SqlFarmRecord(connection),
            accounts=SqlAccounts(connection),
            groups=SqlGroups(connection),
            role_grants=SqlRoleGrants(connection),
            access_tokens=SqlAccessTokens(connection),
            sites=SqlSites(connection),
            collections=SqlCollections(connection),
            stores=SqlStores(connection),
            servers=SqlServers(connection),
            images=SqlImages(connection),
            versions=SqlVersions(connection),
            replicas=SqlReplicas(connection),
            devices=SqlDevices(connection),
            sessions=SqlSessions(connection),
            version_changes=SqlVersionChanges(connection),
            device_caches=SqlDeviceCaches(connection),
            overlays=SqlOverlays(connection),
            audit=SqlAudit(connection),
            places=SqlPlaces(connection),
            affinities=SqlAffinities(connection),
            moves=SqlMoves(connection),
            balance=SqlBalance(connection),
            tasks=SqlTasks(connection),
            schedules=SqlSchedules(connection),
            workers=SqlWorkers(connection),
            task_rules=SqlTaskRules(connection),
            backups=SqlBackups(connection),
            backup_rules=SqlBackupRules(connection),
            restorations=SqlRestorations(connection),
            observations=SqlObservations(connection),
            library_items=SqlLibraryItems(connection),
            publishers=SqlPublishers(connection),
            library_rules=SqlLibraryRules(connection),
            rollouts=SqlRollouts(connection),
            rollout_members=SqlRolloutMembers(connection),
            kit_assignments=SqlKitAssignments(connection),
            users=SqlUsers(connection),
            user_groups=SqlUserGroups(connection),
            image_assignments=SqlImageAssignments(connection),
            image_policies=SqlImagePolicies(connection),
            computers=SqlComputers(connection),
            registration_codes=SqlRegistrationCodes(connection),
            check_ins=SqlCheckIns(connection),
            computer_events=SqlComputerEvents(connection),
            computer_orders=SqlComputerOrders(connection),
            upgrades=SqlUpgrades(connection),
            blueprints=SqlBlueprints(connection),
            release_orders=SqlReleaseOrders(connection),
            canaries=SqlCanaries(connection),
            acceptances=SqlAcceptances(connection),
            consoles=SqlConsoles(connection),
        )


@dataclass(frozen=True)
class ConnectionUse:
    """How many connections a process has to the database."""

    in_use: int = 0
    idle: int = 0


class SqlTransactions:
    """Transactions on the database of a URL; nothing is opened before the first of them."""

    def __init__(self, url: str) -> None:
        self._url = url

    def set_up(self) -> None:
        """Make the schema, or expand an embedded one; looks again under the writers' lock.

        Raises ``FarmNewerError``, ``SchemaBehindError``, ``SchemaDamagedError``.
        """
        with translated(), self._engine.connect() as connection:
            if schema.demand_open(connection) is Opening.READY:
                return
        with self._begun() as connection:
            schema.set_up(connection)

    @contextmanager
    def reading(self) -> Iterator[SqlRecords]:
        """Look at one moment."""
        with translated(), self._engine.connect() as connection:
            try:
                yield SqlRecords.on(connection)
            except DBAPIError:
                connection.rollback()
                # What is missing may have been taken away by a newer release.
                schema.demand_readable(connection)
                raise
            finally:
                connection.rollback()

    @contextmanager
    def writing(self) -> Iterator[SqlRecords]:
        """Change records; raises ``FarmNewerError`` if the database was closed to this release.

        A process goes on when its farm is finalised. Looked at under the lock that a contract step
        takes, no release writes after it that may not.
        """
        with self._begun() as connection:
            schema.demand_readable(connection)
            yield SqlRecords.on(connection)

    def demand_console(self, release: str) -> None:
        """Raise ``ConsoleTooOldError`` if commands of this release are not taken any more."""
        with translated(), self._engine.connect() as connection:
            oldest = schema.look(connection).oldest_console
        if oldest is not None and Release.parse(release) < Release.parse(oldest):
            raise ConsoleTooOldError(release, oldest)

    def note_console(self, seen: SeenConsole) -> None:
        """Remember who works here with which release, if nobody has done so for minutes.

        It is said beside what a command is about: it waits for nobody, and a database that cannot
        be written to now, or at all, goes without.
        """
        with suppress(DomainError), translated(), self._engine.connect() as connection:
            known = SqlConsoles(connection).find(seen.who)
            if known is not None and not seen.is_news_after(known):
                return
            wait_for_nobody(connection)
            schema.demand_readable(connection)
            consoles = SqlConsoles(connection)
            consoles.forget(seen.seen_at - LATELY)
            consoles.put(seen)
            connection.commit()

    def refusal(self) -> str:
        """Connect anew, beside the pool; give why that is refused, nothing if it is not.

        A process goes on with the connections that it has after its account was changed.
        """
        engine = open_engine(self._url)
        try:
            with translated(), engine.connect():
                return ""
        except DomainError as error:
            return error.message
        finally:
            engine.dispose()

    def connections(self) -> ConnectionUse:
        """Count this process's connections; opens none."""
        match self._engine.pool:
            case QueuePool() as pool:
                return ConnectionUse(pool.checkedout(), pool.checkedin())
            case _:
                return ConnectionUse()

    def close(self) -> None:
        """Close the pooled connections."""
        self._engine.dispose()

    @contextmanager
    def _begun(self) -> Iterator[Connection]:
        with translated(), self._engine.connect() as connection:
            begun = connection.execution_options(**{WRITING: True})
            with begun.begin():
                yield begun

    @cached_property
    def _engine(self) -> Engine:
        engine = open_engine(self._url)
        # A command ends without a word to us; a server likes to be told.
        finalize(self, engine.dispose)
        return engine
