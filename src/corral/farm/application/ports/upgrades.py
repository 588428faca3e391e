"""What the farm remembers of its upgrades, and what carries them out outside the database."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from corral.farm.domain.estate.address import Address
    from corral.farm.domain.estate.releases import ReleaseOrder
    from corral.farm.domain.estate.server import ServerId, ServerName
    from corral.farm.domain.image.root import RootHash
    from corral.farm.domain.library.release import Release
    from corral.farm.domain.upgrade.acceptance import Acceptance, AcceptanceId
    from corral.farm.domain.upgrade.blueprint import Blueprint, UpgradeNumber
    from corral.farm.domain.upgrade.inventory import Canary, SeenConsole
    from corral.farm.domain.upgrade.upgrade import Upgrade, UpgradeId


class Upgrades(Protocol):
    """The farm's upgrades, oldest first."""

    def add(self, upgrade: Upgrade) -> None:
        """Add one; raises ``UpgradeUnderWayError`` if its number is taken."""
        ...

    def change(self, seen: Upgrade, after: Upgrade) -> Upgrade:
        """Replace what was seen; raises ``UpgradeChangedError`` if it is not as it was."""
        ...

    def find_open(self) -> Upgrade | None:
        """Give the one that is not over; there is one at the most."""
        ...

    def with_id(self, upgrade_id: UpgradeId) -> Upgrade:
        """Give the one with that id; raises ``UpgradeUnknownError``."""
        ...

    def all(self) -> Sequence[Upgrade]:
        """Give all of them."""
        ...


class Blueprints(Protocol):
    """Steps that were adopted; none is ever changed or forgotten."""

    def add(self, blueprint: Blueprint) -> None:
        """Add one; raises ``BlueprintSupersededError`` if its generation is taken."""
        ...

    def of_upgrade(self, number: UpgradeNumber) -> Sequence[Blueprint]:
        """Give those of an upgrade, oldest first."""
        ...

    def newest(self) -> Blueprint | None:
        """Give the last one of all upgrades."""
        ...


class ReleaseOrders(Protocol):
    """What each server is to have and run; at most one a server."""

    def put(self, server: ServerId, order: ReleaseOrder) -> None:
        """Replace the server's order."""
        ...

    def find(self, server: ServerId) -> ReleaseOrder | None:
        """Give it; none for a server of which nothing was ever wanted."""
        ...


class Canaries(Protocol):
    """What was last read through each server to see whether it gives what it should."""

    def put(self, canary: Canary) -> None:
        """Replace the server's."""
        ...

    def all(self) -> Sequence[Canary]:
        """Give all, by server."""
        ...


class Consoles(Protocol):
    """The command lines that people have worked with lately."""

    def put(self, seen: SeenConsole) -> None:
        """Remember one instead of what was known of it."""
        ...

    def find(self, who: str) -> SeenConsole | None:
        """Give one."""
        ...

    def all(self) -> Sequence[SeenConsole]:
        """Give all, by name; also those that were seen long ago."""
        ...

    def forget(self, before: datetime) -> None:
        """Forget those that were seen before."""
        ...


class Acceptances(Protocol):
    """Risks that somebody has accepted, also those whose date is over."""

    def add(self, acceptance: Acceptance) -> None:
        """Add one."""
        ...

    def all(self) -> Sequence[Acceptance]:
        """Give all, oldest first."""
        ...

    def with_id(self, acceptance_id: AcceptanceId) -> Acceptance:
        """Give the one with that id; raises ``AcceptanceUnknownError``."""
        ...

    def remove(self, acceptance_id: AcceptanceId) -> None:
        """Take it back."""
        ...


class ReleasePrograms(Protocol):
    """The programs of the releases that lie on this machine.

    A release changes the schema itself: the one before it does not know how.
    """

    def has(self, release: Release) -> bool:
        """Whether its programs can be run here."""
        ...

    def expand(self, release: Release) -> None:
        """Add to the schema what it needs; done twice is done once.

        Raises ``ReleaseProgramError`` with what it said.
        """
        ...

    def contract(self, release: Release) -> None:
        """Take from the schema what it does not need; raises ``ReleaseProgramError``."""
        ...

    def script(self, release: Release, first: str, last: str, *, is_embedded: bool) -> str:
        """Give the steps of the schema between two revisions as SQL.

        Raises ``ReleaseProgramError``.
        """
        ...


@dataclass(frozen=True)
class CanaryDisk:
    """A disk, and the one server that it is to be read from."""

    server: ServerName
    addresses: tuple[Address, ...]
    tls: bool
    authority: str
    """The farm's root certificate."""
    export: str
    root: RootHash
    size_bytes: int
    ticket: str
    expires_at: datetime


class Reach(Protocol):
    """What this machine can connect to."""

    def unanswered(self, addresses: Collection[Address]) -> Mapping[Address, str]:
        """Give the addresses at which nobody answers, each with why; takes seconds at the most."""
        ...


class CanaryReader(Protocol):
    """A device's own client, as devices run it."""

    @property
    def is_here(self) -> bool:
        """Whether this machine has it."""
        ...

    def read(self, disk: CanaryDisk) -> str:
        """Read all of it, and compare it with its root; give what was wrong, or nothing."""
        ...
