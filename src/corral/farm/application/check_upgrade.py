"""Say whether the farm may be upgraded to a release, and what is in the way."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from corral.farm.application.check_farm import CheckFarm
from corral.farm.application.compatibility import Facts
from corral.farm.application.look_at_upgrade import (
    computers_seen,
    consoles_seen,
    farm_kit,
    look_at_inventory,
    rollouts_under_way,
    schema_seen,
    verified_backup,
)
from corral.farm.application.older_tools import newest_with_tools
from corral.farm.domain.library.release import Release
from corral.farm.domain.upgrade.check import (
    Hindrance,
    SeenFarm,
    SeenImage,
    Staged,
    check_upgrade,
    parted,
    to_republish,
)
from corral.farm.domain.upgrade.plan import plan
from corral.farm.domain.upgrade.policy import Policy
from corral.farm.domain.upgrade.state import UpgradeState
from corral.farm.domain.upgrade.touches import Touches

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from corral.farm.application.check_farm import FarmCheck
    from corral.farm.application.ports.certificates import CertificateFiles
    from corral.farm.application.ports.farm_key import FarmKey
    from corral.farm.application.ports.records import Records, Transactions
    from corral.farm.application.ports.schema import DatabaseSchema
    from corral.farm.application.ports.sources import Clock
    from corral.farm.application.ports.upgrades import Reach
    from corral.farm.domain.estate.address import Address
    from corral.farm.domain.estate.server import Server, ServerName
    from corral.farm.domain.library.item import Item, ItemName
    from corral.farm.domain.library.manifest import ReleaseManifest
    from corral.farm.domain.upgrade.acceptance import Acceptance
    from corral.farm.domain.upgrade.inventory import SeenConsole
    from corral.farm.domain.upgrade.plan import Blocked


@dataclass(frozen=True)
class UpgradeCheck:
    """What was found."""

    now: Release
    """What the farm runs."""
    to: ReleaseManifest
    at: datetime
    hindrances: tuple[Hindrance, ...]
    """What nobody has accepted."""
    accepted: tuple[tuple[Hindrance, Acceptance], ...]
    """What would be in the way, had not somebody taken the risk."""
    to_republish: tuple[str, ...]
    """Images that are worth publishing anew after it, for the guest tools that it brings."""
    consoles: tuple[SeenConsole, ...] = ()
    """The command lines that people have worked with lately."""

    @property
    def is_clear(self) -> bool:
        """Whether nothing is in the way."""
        return not self.hindrances


class CheckUpgrade:
    """Looks at everything that an upgrade depends on; changes nothing."""

    def __init__(  # noqa: PLR0913, PLR0917 - one for each port
        self,
        transactions: Transactions,
        key: FarmKey,
        certificates: CertificateFiles,
        schema: DatabaseSchema,
        reach: Reach,
        clock: Clock,
        release: str,
    ) -> None:
        self._transactions = transactions
        self._check_farm = CheckFarm(transactions, key, certificates, clock)
        self._schema = schema
        self._reach = reach
        self._clock = clock
        self._release = release

    def __call__(self, kit: ItemName) -> UpgradeCheck:
        """Look, and judge.

        Raises ``ItemUnknownError``, ``ItemNotAvailableError``, and ``UpgradeKitInvalidError`` for
        a kit of another component.
        """
        now = self._clock.now()
        farm_check = self._check_farm()
        unanswered = self._unanswered(now)
        with self._transactions.reading() as records:
            item, to = farm_kit(records, kit)
            seen = replace(self._seen(records, item, to, farm_check, now), unanswered=unanswered)
            acceptances = tuple(records.acceptances.all())
            consoles = consoles_seen(records, now)
        standing, accepted = parted(check_upgrade(seen), acceptances, now)
        republish = to_republish(seen)
        return UpgradeCheck(seen.now, to, now, standing, accepted, republish, consoles)

    def _unanswered(self, now: datetime) -> tuple[tuple[ServerName, str], ...]:
        """Knock where the servers that live say they are; no transaction is open meanwhile.

        Relays are reached by the computers of their sites, not from here.
        """
        with self._transactions.reading() as records:
            servers = [
                one for one in records.servers.all() if not one.relay and one.may_be_relied_on(now)
            ]
        listening = {one.name: dict(_listening(one)) for one in servers}
        problems = self._reach.unanswered([at for ones in listening.values() for at in ones])
        found: dict[ServerName, list[str]] = {}
        for name, ones in listening.items():
            for at, what in ones.items():
                if at in problems:
                    found.setdefault(name, []).append(f"{at} ({what}): {problems[at]}")
        return tuple((name, "; ".join(words)) for name, words in found.items())

    def _seen(
        self,
        records: Records,
        item: Item,
        to: ReleaseManifest,
        farm_check: FarmCheck,
        now: datetime,
    ) -> SeenFarm:
        facts = Facts(records)
        return SeenFarm(
            now=Release.parse(self._release),
            to=to,
            known=facts.manifests,
            servers=tuple(_staged(records, item)),
            computers=tuple(computers_seen(records, facts)),
            findings=farm_check.findings,
            tasks=tuple(records.tasks.active()),
            rollouts=rollouts_under_way(records),
            backup=verified_backup(records, now),
            images=tuple(_images(records)),
            planned=self._planned(records, to, farm_check, now),
        )

    def _planned(
        self, records: Records, to: ReleaseManifest, farm_check: FarmCheck, now: datetime
    ) -> tuple[Blocked, ...]:
        schema = schema_seen(self._schema.look())
        inventory = look_at_inventory(records, schema, now, farm_check.findings)
        policy = Policy(
            old=Release.parse(self._release),
            new=to.release,
            state=UpgradeState.RUNNING,
            epoch=inventory.epoch,
        )
        return plan(policy, inventory, Touches(), to, now).blocked


def _listening(server: Server) -> Iterator[tuple[Address, str]]:
    for one in server.advertised:
        yield one, "devices"
    yield server.chunks_advertised, "chunks"
    if server.management is not None:
        yield server.management, "logins"


def _staged(records: Records, item: Item) -> Iterator[Staged]:
    replicas = (
        {} if item.root is None else {r.server_id: r for r in records.replicas.of_root(item.root)}
    )
    for server in records.servers.all():
        replica = replicas.get(server.id)
        if replica is None:
            yield Staged(server.name, 0, item.size_bytes, is_complete=False)
        else:
            yield Staged(server.name, replica.done_bytes, replica.total_bytes, replica.is_complete)


def _images(records: Records) -> Iterator[SeenImage]:
    for image in records.images.all():
        known = newest_with_tools(records, image)
        if known is not None:
            yield SeenImage(image.name, known[1])
