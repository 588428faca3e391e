"""What the farm remembers, and the transactions in which it is read and changed.

Each repository speaks of one noun. ``get`` raises the noun's ``…UnknownError``, ``find`` gives
``None``. Lists come in the order of names (versions: of numbers), so that every caller shows them
alike. ``add`` keeps names unique and raises the noun's ``…TakenError``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime

    from corral.farm.application.ports.accounts import AccessTokens, Accounts, Groups, RoleGrants
    from corral.farm.application.ports.affinities import Affinities
    from corral.farm.application.ports.audit import Audit
    from corral.farm.application.ports.backups import (
        BackupRulesRecord,
        Backups,
        Observations,
        Restorations,
    )
    from corral.farm.application.ports.collections import Collections
    from corral.farm.application.ports.computers import (
        CheckIns,
        ComputerEvents,
        ComputerOrders,
        Computers,
        RegistrationCodes,
    )
    from corral.farm.application.ports.device_caches import DeviceCaches
    from corral.farm.application.ports.library import (
        LibraryItems,
        LibraryRulesRecord,
        Publishers,
    )
    from corral.farm.application.ports.moves import Balance, Moves
    from corral.farm.application.ports.overlays import Overlays
    from corral.farm.application.ports.places import Places
    from corral.farm.application.ports.rollouts import KitAssignments, RolloutMembers, Rollouts
    from corral.farm.application.ports.sites import Sites
    from corral.farm.application.ports.stores import Stores
    from corral.farm.application.ports.task_rules import TaskRulesRecord
    from corral.farm.application.ports.tasks import Schedules, Tasks, Workers
    from corral.farm.application.ports.upgrades import (
        Acceptances,
        Blueprints,
        Canaries,
        Consoles,
        ReleaseOrders,
        Upgrades,
    )
    from corral.farm.application.ports.users import (
        ImageAssignments,
        ImagePolicies,
        UserGroups,
        Users,
    )
    from corral.farm.application.ports.version_changes import VersionChanges
    from corral.farm.domain.access.token import TokenDigest
    from corral.farm.domain.delivery.device import Device, DeviceId, DeviceName, Login
    from corral.farm.domain.delivery.session import Session
    from corral.farm.domain.estate.collection import CollectionId
    from corral.farm.domain.estate.farm import Farm
    from corral.farm.domain.estate.server import (
        FormerServer,
        LastReport,
        Server,
        ServerId,
        ServerName,
    )
    from corral.farm.domain.image.image import Image, ImageId, ImageName
    from corral.farm.domain.image.replica import Replica
    from corral.farm.domain.image.root import RootHash
    from corral.farm.domain.image.version import Version, VersionName


class FarmRecord(Protocol):
    """The farm itself."""

    def set_up(self, farm: Farm) -> None:
        """Remember the farm; raises ``FarmExistsError`` where one is remembered already."""
        ...

    def get(self) -> Farm:
        """Give the farm; raises ``FarmUnknownError`` before it was set up."""
        ...

    def change(self, seen: Farm, after: Farm) -> Farm:
        """Take name and URLs of ``after``, and give the farm with its new revision.

        Raises ``FarmChangedError`` if it was changed since it was seen.
        """
        ...

    def raise_generation(self) -> None:
        """Say that stream processes have something new to learn."""
        ...

    def raise_generation_to(self, generation: int) -> None:
        """Begin to count anew, at least one above what it was: for a farm that was restored."""
        ...


class Servers(Protocol):
    """The servers with their folders in stores."""

    def add(self, server: Server) -> None:
        """Add one; raises ``ServerNameTakenError``, ``StoreTakenError``."""
        ...

    def get(self, name: ServerName) -> Server:
        """Give the one of that name."""
        ...

    def with_id(self, server_id: ServerId) -> Server:
        """Give the one with that id; raises ``ServerUnknownError``."""
        ...

    def with_token(self, digest: TokenDigest) -> Server | None:
        """Give the one whose token has that digest."""
        ...

    def all(self) -> Sequence[Server]:
        """Give all of them."""
        ...

    def change(self, seen: Server, after: Server) -> Server:
        """Put ``after`` in the place of ``seen``, and give it with its new revision.

        Its last report stays as it is. Raises ``ServerChangedError`` if it was changed since it was
        seen, ``ServerUnknownError`` if it is gone, ``ServerNameTakenError``, ``StoreTakenError``.
        """
        ...

    def set_draining(self, server_id: ServerId, *, draining: bool) -> None:
        """Set or clear the flag, and raise the revision."""
        ...

    def set_report(self, server_id: ServerId, report: LastReport) -> None:
        """Remember what the server last said of itself."""
        ...

    def remove(self, server_id: ServerId, now: datetime) -> None:
        """Forget it with its folder, but for its token; logins that led to it led nowhere known.

        The caller has seen that it holds nothing any more.
        """
        ...

    def with_former_token(self, digest: TokenDigest) -> FormerServer | None:
        """Give the removed one whose token had that digest."""
        ...


class Images(Protocol):
    """The images. By name and in lists only those that machines start from, not the library's."""

    def add(self, image: Image) -> None:
        """Add one; raises ``ImageNameTakenError``."""
        ...

    def get(self, name: ImageName) -> Image:
        """Give the one of that name."""
        ...

    def find(self, name: ImageName) -> Image | None:
        """Give the one of that name, if there is one."""
        ...

    def with_id(self, image_id: ImageId) -> Image:
        """Give the one with that id, the library's too; raises ``ImageUnknownError``."""
        ...

    def find_of_library(self, name: ImageName) -> Image | None:
        """Give the library's one of that name, if there is one."""
        ...

    def change(self, seen: Image, after: Image) -> None:
        """Replace ``seen`` by ``after``, but for its last number.

        Raises ``ImageChangedError`` if its revision is not as seen.
        """
        ...

    def remove(self, image_id: ImageId) -> None:
        """Forget it with its versions and their history, but for its name and last number.

        The caller has seen that nothing uses it. Logins with it led to no image that is known.
        """
        ...

    def find_last_number(self, name: ImageName) -> int:
        """Give the highest number of a removed image of that name; 0 if there was none."""
        ...

    def all(self) -> Sequence[Image]:
        """Give all of them."""
        ...


class Versions(Protocol):
    """The versions, deleted ones among them."""

    def publish(self, version: Version) -> None:
        """Add the next version of an image and raise the image's last number to its number.

        Raises ``VersionChangedError`` if the image's last number is not the one before it: somebody
        else published in the meantime.
        """
        ...

    def adopt(self, version: Version) -> None:
        """Add one that was published before the farm was restored, and is not known any more.

        The image's last number is raised to its number unless it is higher already. Raises
        ``VersionChangedError`` if there is one of that name.
        """
        ...

    def get(self, name: VersionName) -> Version:
        """Give the one of that name, whatever its state."""
        ...

    def of_image(self, image_id: ImageId) -> Sequence[Version]:
        """Give all versions of an image, lowest number first."""
        ...

    def all(self) -> Sequence[Version]:
        """Give all versions of all images."""
        ...

    def with_root(self, root: RootHash) -> Sequence[Version]:
        """Give all versions that have that root."""
        ...

    def move(self, seen: Version, after: Version) -> None:
        """Replace ``seen`` by ``after``; ``VersionChangedError`` if it is not as seen any more."""
        ...


class Replicas(Protocol):
    """Which server should hold which root, and what it said about that."""

    def put(self, replica: Replica) -> None:
        """Add it, or replace the one of the same server and root."""
        ...

    def find(self, server_id: ServerId, root: RootHash) -> Replica | None:
        """Give the one of that server and root."""
        ...

    def of_server(self, server_id: ServerId) -> Sequence[Replica]:
        """Give all of one server, in the order of roots."""
        ...

    def of_root(self, root: RootHash) -> Sequence[Replica]:
        """Give all of one root, in the order of server names."""
        ...

    def all(self) -> Sequence[Replica]:
        """Give all of them, in the order of server names, then roots."""
        ...

    def count_complete(self) -> int:
        """Give how many are complete."""
        ...

    def remove(self, server_id: ServerId, root: RootHash) -> None:
        """Forget it; quietly done if there is none."""
        ...


class Devices(Protocol):
    """The devices with their assignments."""

    def add(self, device: Device) -> None:
        """Add one; raises ``DeviceNameTakenError``, ``MacTakenError``."""
        ...

    def get(self, name: DeviceName) -> Device:
        """Give the one of that name."""
        ...

    def find(self, name: DeviceName) -> Device | None:
        """Give the one of that name, if there is one."""
        ...

    def with_id(self, device_id: DeviceId) -> Device:
        """Give the one with that id; raises ``DeviceUnknownError``."""
        ...

    def with_image(self, image_id: ImageId) -> Sequence[Device]:
        """Give those that an image is assigned to."""
        ...

    def with_key(self, digest: TokenDigest) -> Device | None:
        """Give the one whose key has that digest. For those who were refused: it may be slow."""
        ...

    def in_collection(self, collection_id: CollectionId) -> Sequence[Device]:
        """Give those of a collection."""
        ...

    def change(self, seen: Device, after: Device) -> Device:
        """Put ``after`` in the place of ``seen``, and give it with its new revision.

        Its last login stays as it is. Raises ``DeviceChangedError`` if it was changed since it was
        seen, ``DeviceUnknownError`` if it is gone, ``DeviceNameTakenError``, ``MacTakenError``.
        """
        ...

    def remove(self, device_id: DeviceId) -> None:
        """Forget it; quietly done if there is none."""
        ...

    def all(self) -> Sequence[Device]:
        """Give all of them."""
        ...

    def assign(self, device_id: DeviceId, image_id: ImageId, now: datetime) -> None:
        """Assign an image, in place of the one before, and raise the revision."""
        ...

    def set_login(self, device_id: DeviceId, login: Login) -> None:
        """Remember where the device was sent."""
        ...


class Sessions(Protocol):
    """Who streams what, as the servers last said."""

    def replace(self, server_id: ServerId, sessions: Sequence[Session]) -> None:
        """Put these in the place of everything that the server said before."""
        ...

    def all(self) -> Sequence[Session]:
        """Give all of them, in the order of server names, then of their beginnings."""
        ...

    def of_server(self, server_id: ServerId) -> Sequence[Session]:
        """Give those of one server, in the order of their beginnings."""
        ...

    def of_devices(self, device_ids: Collection[DeviceId]) -> Sequence[Session]:
        """Give those of these devices, in the same order as all."""
        ...


class Records(Protocol):
    """Everything that one transaction sees."""

    @property
    def farm(self) -> FarmRecord:
        """The farm itself."""
        ...

    @property
    def accounts(self) -> Accounts:
        """The accounts."""
        ...

    @property
    def groups(self) -> Groups:
        """The groups of accounts."""
        ...

    @property
    def role_grants(self) -> RoleGrants:
        """Who holds which role."""
        ...

    @property
    def access_tokens(self) -> AccessTokens:
        """The tokens of accounts."""
        ...

    @property
    def sites(self) -> Sites:
        """The sites."""
        ...

    @property
    def collections(self) -> Collections:
        """The collections."""
        ...

    @property
    def stores(self) -> Stores:
        """The stores."""
        ...

    @property
    def servers(self) -> Servers:
        """The servers."""
        ...

    @property
    def images(self) -> Images:
        """The images."""
        ...

    @property
    def versions(self) -> Versions:
        """The versions."""
        ...

    @property
    def replicas(self) -> Replicas:
        """The replicas."""
        ...

    @property
    def devices(self) -> Devices:
        """The devices."""
        ...

    @property
    def version_changes(self) -> VersionChanges:
        """What was done to versions."""
        ...

    @property
    def device_caches(self) -> DeviceCaches:
        """The write caches of devices."""
        ...

    @property
    def overlays(self) -> Overlays:
        """What devices write over versions."""
        ...

    @property
    def sessions(self) -> Sessions:
        """The sessions."""
        ...

    @property
    def audit(self) -> Audit:
        """The audit log."""
        ...

    @property
    def places(self) -> Places:
        """Where devices are."""
        ...

    @property
    def affinities(self) -> Affinities:
        """Who is bound to servers of the own subnet."""
        ...

    @property
    def moves(self) -> Moves:
        """Where devices were asked to go."""
        ...

    @property
    def balance(self) -> Balance:
        """When they are asked to."""
        ...

    @property
    def tasks(self) -> Tasks:
        """The tasks."""
        ...

    @property
    def schedules(self) -> Schedules:
        """The schedules."""
        ...

    @property
    def task_rules(self) -> TaskRulesRecord:
        """The rules for tasks."""
        ...

    @property
    def workers(self) -> Workers:
        """The workers."""
        ...

    @property
    def backups(self) -> Backups:
        """The backups that were made."""
        ...

    @property
    def backup_rules(self) -> BackupRulesRecord:
        """Where they go."""
        ...

    @property
    def library_items(self) -> LibraryItems:
        """What is in the library."""
        ...

    @property
    def publishers(self) -> Publishers:
        """Whose kits are believed."""
        ...

    @property
    def library_rules(self) -> LibraryRulesRecord:
        """Where files are imported from."""
        ...

    @property
    def rollouts(self) -> Rollouts:
        """The rollouts."""
        ...

    @property
    def rollout_members(self) -> RolloutMembers:
        """Their machines."""
        ...

    @property
    def kit_assignments(self) -> KitAssignments:
        """Which kits computers were given."""
        ...

    @property
    def restorations(self) -> Restorations:
        """What the farm was restored from."""
        ...

    @property
    def observations(self) -> Observations:
        """What servers said since."""
        ...

    @property
    def users(self) -> Users:
        """The users."""
        ...

    @property
    def user_groups(self) -> UserGroups:
        """The user groups."""
        ...

    @property
    def image_assignments(self) -> ImageAssignments:
        """Who gets which image."""
        ...

    @property
    def image_policies(self) -> ImagePolicies:
        """How machines of images are run."""
        ...

    @property
    def computers(self) -> Computers:
        """The computers."""
        ...

    @property
    def registration_codes(self) -> RegistrationCodes:
        """What registers computers."""
        ...

    @property
    def check_ins(self) -> CheckIns:
        """What computers last said."""
        ...

    @property
    def computer_events(self) -> ComputerEvents:
        """What happened on computers."""
        ...

    @property
    def computer_orders(self) -> ComputerOrders:
        """What computers were last told."""
        ...

    @property
    def upgrades(self) -> Upgrades:
        """The upgrades of the farm itself."""
        ...

    @property
    def blueprints(self) -> Blueprints:
        """Their steps."""
        ...

    @property
    def release_orders(self) -> ReleaseOrders:
        """What each server is to have and run."""
        ...

    @property
    def canaries(self) -> Canaries:
        """What was read through servers to try them."""
        ...

    @property
    def acceptances(self) -> Acceptances:
        """Risks that somebody has accepted."""
        ...

    @property
    def consoles(self) -> Consoles:
        """The command lines that people have worked with lately."""
        ...


class Transactions(Protocol):
    """Units of work on the farm's records.

    Either all of a writing block is kept or, when it raises, nothing of it. Writers come one after
    the other; a reader sees one moment and holds nobody up. Keep both short: no chunk is moved and
    no program run inside one.
    """

    def reading(self) -> AbstractContextManager[Records]:
        """Look at one moment; whatever the block writes is thrown away."""
        ...

    def writing(self) -> AbstractContextManager[Records]:
        """Change records."""
        ...

    def set_up(self) -> None:
        """Make the place where records are kept, or bring it up to date.

        Raises ``FarmNewerError``.
        """
        ...
