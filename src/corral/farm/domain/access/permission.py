"""Who may do what: one table of permissions, and the rule that reads it.

A *role* is a level (reader, operator, administrator) over an extent (the farm, a site, a
collection). A *grant* is a role over one particular extent. What may be done to a thing depends on
the level that its permission needs at that extent, and on whether the extent holds the thing.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from corral.farm.domain.access.errors import PersonNeededError
from corral.farm.domain.errors import DeniedError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID


class Permission(StrEnum):
    """What can be done to a noun. The text is for ever: tokens name it as their scope."""

    FARM_READ = "farm.read"
    FARM_CHANGE = "farm.change"
    FARM_CHECK = "farm.check"
    FARM_UPGRADE = "farm.upgrade"
    """Begin, move and take back upgrades of the farm; accept their risks."""
    SITE_READ = "site.read"
    SITE_ADD = "site.add"
    SITE_CHANGE = "site.change"
    SITE_REMOVE = "site.remove"
    COLLECTION_READ = "collection.read"
    COLLECTION_ADD = "collection.add"
    COLLECTION_CHANGE = "collection.change"
    COLLECTION_REMOVE = "collection.remove"
    SERVER_READ = "server.read"
    SERVER_ADD = "server.add"
    SERVER_CHANGE = "server.change"
    SERVER_REMOVE = "server.remove"
    SERVER_DRAIN = "server.drain"
    """Also to undrain it."""
    SERVER_BALANCE = "server.balance"
    STORE_READ = "store.read"
    STORE_ADD = "store.add"
    STORE_CHANGE = "store.change"
    STORE_REMOVE = "store.remove"
    STORE_VERIFY = "store.verify"
    """Of one server. Also to scrub and to heal it: nothing is lost by either."""
    STORE_COLLECT = "store.collect"
    """Of one server."""
    IMAGE_READ = "image.read"
    IMAGE_IMPORT = "image.import"
    IMAGE_CHANGE = "image.change"
    """Also how its machines are run on computers."""
    IMAGE_ASSIGN = "image.assign"
    """To users and user groups."""
    IMAGE_REMOVE = "image.remove"
    VERSION_READ = "version.read"
    VERSION_EXPORT = "version.export"
    VERSION_VERIFY = "version.verify"
    VERSION_CHANGE = "version.change"
    """Its access, its date, its pin, its description."""
    VERSION_MAINTAIN = "version.maintain"
    """Open it for writing by one device, and seal what was written."""
    VERSION_DELETE = "version.delete"
    REPLICA_READ = "replica.read"
    REPLICA_CHANGE = "replica.change"
    """Replicate a version; policies, bandwidths and windows."""
    DEVICE_READ = "device.read"
    DEVICE_ADD = "device.add"
    DEVICE_CHANGE = "device.change"
    DEVICE_REMOVE = "device.remove"
    DEVICE_ASSIGN = "device.assign"
    USER_READ = "user.read"
    """Users and user groups, and which images they have."""
    USER_ADD = "user.add"
    USER_CHANGE = "user.change"
    USER_REMOVE = "user.remove"
    COMPUTER_READ = "computer.read"
    COMPUTER_ADD = "computer.add"
    """Make codes; approve and refuse those that ask."""
    COMPUTER_CHANGE = "computer.change"
    COMPUTER_RETRY = "computer.retry"
    """What failed or went back there."""
    COMPUTER_KILL = "computer.kill"
    """Also to undo it, and to let it register anew."""
    COMPUTER_DELETE = "computer.delete"
    COMPUTER_UPGRADE = "computer.upgrade"
    """Give it a kit, or take it away."""
    ROLLOUT_READ = "rollout.read"
    ROLLOUT_START = "rollout.start"
    ROLLOUT_CHANGE = "rollout.change"
    """Pause, resume, stop, take back, try again, forget."""
    LIBRARY_READ = "library.read"
    LIBRARY_IMPORT = "library.import"
    LIBRARY_CHANGE = "library.change"
    """Take something out; where files come from."""
    PUBLISHER_READ = "publisher.read"
    PUBLISHER_CHANGE = "publisher.change"
    """Whose kits are believed: who has this has every computer."""
    BACKUP_READ = "backup.read"
    BACKUP_CREATE = "backup.create"
    BACKUP_CHANGE = "backup.change"
    """Where backups go, who can open them, and how many are kept: who has this has the farm."""
    TASK_READ = "task.read"
    TASK_CHANGE = "task.change"
    """Cancel, pause, resume, try again; schedules."""
    STATUS_READ = "status.read"
    ACCOUNT_READ = "account.read"
    """Accounts, groups, roles and everybody's tokens, none of them with a secret."""
    ACCOUNT_CHANGE = "account.change"
    """The same: who has this has the farm."""
    AUDIT_READ = "audit.read"
    SELF = "self"
    """One's own account: its password and its tokens. Not in the table: it needs no role, only a
    person who signed in."""


class Level(IntEnum):
    """How much a role allows; each level includes those below it."""

    READER = 1
    OPERATOR = 2
    ADMINISTRATOR = 3


class Extent(StrEnum):
    """What a role is granted over."""

    FARM = "farm"
    SITE = "site"
    COLLECTION = "collection"


class Role(StrEnum):
    """A level over an extent."""

    FARM_ADMINISTRATOR = "farm-administrator"
    FARM_OPERATOR = "farm-operator"
    FARM_READER = "farm-reader"
    SITE_ADMINISTRATOR = "site-administrator"
    SITE_OPERATOR = "site-operator"
    SITE_READER = "site-reader"
    COLLECTION_ADMINISTRATOR = "collection-administrator"
    COLLECTION_OPERATOR = "collection-operator"
    COLLECTION_READER = "collection-reader"

    @property
    def extent(self) -> Extent:
        """What it is granted over."""
        return Extent(self.value.partition("-")[0])

    @property
    def level(self) -> Level:
        """How much it allows."""
        return Level[self.value.partition("-")[2].upper()]


@dataclass(frozen=True)
class Place:
    """Where a thing lies. A thing of the farm itself, such as an image, lies nowhere further."""

    site: UUID | None = None
    collection: UUID | None = None


EVERYWHERE: Final = Place()
"""The place of the farm's own things."""


@dataclass(frozen=True)
class Row:
    """What a permission needs: the least level over each extent, or none that would do."""

    farm: Level
    site: Level | None
    collection: Level | None
    is_placed: bool
    """Whether what it is about lies in a site or a collection, so that the grant must hold it."""

    def needed(self, extent: Extent) -> Level | None:
        """Give the least level over an extent."""
        match extent:
            case Extent.FARM:
                return self.farm
            case Extent.SITE:
                return self.site
            case Extent.COLLECTION:
                return self.collection


_P = Permission
_R, _O, _A = Level.READER, Level.OPERATOR, Level.ADMINISTRATOR


def _farms(farm: Level, site: Level | None = None, collection: Level | None = None) -> Row:
    """Give the row of something that the whole farm has one of."""
    return Row(farm, site, collection, is_placed=False)


def _placed(farm: Level, site: Level | None = None, collection: Level | None = None) -> Row:
    """Give the row of something that lies in a place."""
    return Row(farm, site, collection, is_placed=True)


# Columns: over the farm, over a site, over a collection. Images with their versions, and stores,
# are the whole farm's: only roles over the farm change them.
TABLE: Final[Mapping[Permission, Row]] = MappingProxyType(
    {
        _P.FARM_READ: _farms(_R, _R, _R),
        _P.FARM_CHANGE: _farms(_A),
        _P.FARM_CHECK: _farms(_R),
        _P.FARM_UPGRADE: _farms(_A),
        _P.SITE_READ: _placed(_R, _R),
        _P.SITE_ADD: _farms(_A),
        _P.SITE_CHANGE: _placed(_A, _A),
        _P.SITE_REMOVE: _farms(_A),
        _P.COLLECTION_READ: _placed(_R, _R, _R),
        _P.COLLECTION_ADD: _placed(_A, _A),
        _P.COLLECTION_CHANGE: _placed(_A, _A, _A),
        _P.COLLECTION_REMOVE: _placed(_A, _A),
        _P.SERVER_READ: _placed(_R, _R),
        _P.SERVER_ADD: _placed(_A, _A),
        _P.SERVER_CHANGE: _placed(_A, _A),
        _P.SERVER_REMOVE: _placed(_A, _A),
        _P.SERVER_DRAIN: _placed(_O, _O),
        _P.SERVER_BALANCE: _placed(_O, _O),
        _P.STORE_READ: _farms(_R, _R),
        _P.STORE_ADD: _farms(_A),
        _P.STORE_CHANGE: _farms(_A),
        _P.STORE_REMOVE: _farms(_A),
        _P.STORE_VERIFY: _placed(_O, _O),
        _P.STORE_COLLECT: _placed(_A, _A),
        _P.IMAGE_READ: _farms(_R, _R, _R),
        _P.IMAGE_IMPORT: _farms(_A),
        _P.IMAGE_CHANGE: _farms(_A),
        _P.IMAGE_ASSIGN: _farms(_O),
        _P.IMAGE_REMOVE: _farms(_A),
        _P.VERSION_READ: _farms(_R, _R, _R),
        _P.VERSION_EXPORT: _farms(_O),
        _P.VERSION_VERIFY: _farms(_O),
        _P.VERSION_CHANGE: _farms(_A),
        _P.VERSION_MAINTAIN: _farms(_A),
        _P.VERSION_DELETE: _farms(_A),
        _P.REPLICA_READ: _farms(_R, _R),
        _P.REPLICA_CHANGE: _farms(_O),
        _P.DEVICE_READ: _placed(_R, _R, _R),
        _P.DEVICE_ADD: _placed(_A, _A, _A),
        _P.DEVICE_CHANGE: _placed(_A, _A, _A),
        _P.DEVICE_REMOVE: _placed(_A, _A, _A),
        _P.DEVICE_ASSIGN: _placed(_O, _O, _O),
        _P.USER_READ: _farms(_R, _R, _R),
        _P.USER_ADD: _farms(_A),
        _P.USER_CHANGE: _farms(_A),
        _P.USER_REMOVE: _farms(_A),
        _P.COMPUTER_READ: _placed(_R, _R, _R),
        _P.COMPUTER_ADD: _placed(_A, _A, _A),
        _P.COMPUTER_CHANGE: _placed(_A, _A, _A),
        _P.COMPUTER_RETRY: _placed(_O, _O, _O),
        _P.COMPUTER_KILL: _placed(_A, _A, _A),
        _P.COMPUTER_DELETE: _placed(_A, _A, _A),
        _P.COMPUTER_UPGRADE: _placed(_O, _O, _O),
        _P.ROLLOUT_READ: _farms(_R, _R, _R),
        _P.ROLLOUT_START: _farms(_A),
        _P.ROLLOUT_CHANGE: _farms(_O),
        _P.LIBRARY_READ: _farms(_R, _R, _R),
        _P.LIBRARY_IMPORT: _farms(_A),
        _P.LIBRARY_CHANGE: _farms(_A),
        _P.PUBLISHER_READ: _farms(_R, _R, _R),
        _P.PUBLISHER_CHANGE: _farms(_A),
        _P.BACKUP_READ: _farms(_R),
        _P.BACKUP_CREATE: _farms(_O),
        _P.BACKUP_CHANGE: _farms(_A),
        _P.TASK_READ: _farms(_R, _R),
        _P.TASK_CHANGE: _farms(_O),
        _P.STATUS_READ: _placed(_R, _R, _R),
        _P.ACCOUNT_READ: _farms(_R),
        _P.ACCOUNT_CHANGE: _farms(_A),
        _P.AUDIT_READ: _farms(_R),
    }
)


@dataclass(frozen=True)
class Grant:
    """A role over one particular extent."""

    role: Role
    site: UUID | None = None
    collection: UUID | None = None

    def reaches(self, place: Place) -> bool:
        """Whether what lies at ``place`` is within it."""
        match self.role.extent:
            case Extent.FARM:
                return True
            case Extent.SITE:
                return place.site is not None and place.site == self.site
            case Extent.COLLECTION:
                return place.collection is not None and place.collection == self.collection

    def allows(self, permission: Permission, place: Place | None = None) -> bool:
        """Whether it allows ``permission`` at ``place``; without a place, anywhere at all."""
        row = TABLE[permission]
        needed = row.needed(self.role.extent)
        if needed is None or self.role.level < needed:
            return False
        return place is None or not row.is_placed or self.reaches(place)


@dataclass(frozen=True)
class Rights:
    """Everything that a caller may do: what was granted, cut down to the scopes of a token."""

    grants: frozenset[Grant]
    scopes: frozenset[Permission] | None = None
    """None for a person who signed in: whatever was granted."""
    is_person: bool = False
    """Whether they come from a password rather than from a token that was made for a program."""

    def allow(self, permission: Permission, place: Place | None = None) -> bool:
        """Whether they allow ``permission`` at ``place``; without a place, anywhere at all."""
        if permission is Permission.SELF:
            return self.is_person
        if self.scopes is not None and permission not in self.scopes:
            return False
        return any(grant.allows(permission, place) for grant in self.grants)

    def demand(self, permission: Permission, place: Place | None = None) -> None:
        """Raise ``PermissionMissingError`` unless they allow it."""
        if permission is Permission.SELF and not self.is_person:
            raise PersonNeededError
        if not self.allow(permission, place):
            raise PermissionMissingError(permission, self._lacking(permission))

    def _lacking(self, permission: Permission) -> str:
        if self.scopes is not None and permission not in self.scopes:
            return "the token's scopes do not hold it"
        if any(grant.allows(permission) for grant in self.grants):
            return "the caller's roles are over another place"
        return "none of the caller's roles allows it"


READ_ONLY: Final = Rights(frozenset({Grant(Role.FARM_READER)}))
"""What the farm's reader key allows."""


class PermissionMissingError(DeniedError):
    """Each call needs a permission, which a role over the right place gives."""

    code = "permission-missing"

    def __init__(self, permission: Permission, why: str) -> None:
        super().__init__(
            f"this needs the permission {permission.value}: {why}. 'corral role grant' gives"
            " a role, and the page 'roles' of the reference says which role allows what"
        )
