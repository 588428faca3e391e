"""Tell an upgrade before it happens: as steps, or as commands for hand execution."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corral.farm.application.check_farm import CheckFarm
from corral.farm.application.look_at_upgrade import (
    epoch_of,
    farm_kit,
    look_at_inventory,
    schema_seen,
)
from corral.farm.domain.library.manifest import FarmManifest
from corral.farm.domain.library.release import Release
from corral.farm.domain.upgrade.errors import ReleaseProgramError
from corral.farm.domain.upgrade.explain import explain, runbook
from corral.farm.domain.upgrade.policy import Policy
from corral.farm.domain.upgrade.state import UpgradeState

if TYPE_CHECKING:
    from datetime import datetime

    from corral.farm.application.ports.certificates import CertificateFiles
    from corral.farm.application.ports.farm_key import FarmKey
    from corral.farm.application.ports.records import Transactions
    from corral.farm.application.ports.schema import DatabaseSchema
    from corral.farm.application.ports.sources import Clock
    from corral.farm.application.ports.upgrades import ReleasePrograms
    from corral.farm.domain.estate.server import ServerName
    from corral.farm.domain.library.item import ItemName
    from corral.farm.domain.library.manifest import ReleaseManifest
    from corral.farm.domain.upgrade.inventory import Inventory


class PlanUpgrade:
    """Rehearses it on the farm as it is seen now, with each step succeeding; changes nothing."""

    def __init__(  # noqa: PLR0913 - one for each port
        self,
        *,
        transactions: Transactions,
        key: FarmKey,
        certificates: CertificateFiles,
        schema: DatabaseSchema,
        programs: ReleasePrograms,
        clock: Clock,
        release: str,
    ) -> None:
        self._transactions = transactions
        self._check_farm = CheckFarm(transactions, key, certificates, clock)
        self._schema = schema
        self._programs = programs
        self._clock = clock
        self._release = release

    def __call__(self, kit: ItemName, first: tuple[ServerName, ...] = ()) -> str:
        """Tell every step, what it waits for, and who moves where.

        Raises ``ItemUnknownError``, ``ItemNotAvailableError``, ``UpgradeKitInvalidError``.
        """
        return explain(*self._seen(kit, first))

    def by_hand(self, kit: ItemName, first: tuple[ServerName, ...] = ()) -> str:
        """Give the same as commands; raises what a call raises."""
        return runbook(*self._seen(kit, first))

    def script(self, kit: ItemName) -> str:
        """Give the change of the schema as SQL for whoever looks after the database.

        The release writes it itself: raises ``ReleaseProgramError`` where it does not lie yet.
        """
        with self._transactions.reading() as records:
            _, manifest = farm_kit(records, kit)
        said = manifest.facts.schema if isinstance(manifest.facts, FarmManifest) else None
        if said is None:
            raise ReleaseProgramError(manifest.release, "tell", "its manifest says nothing of it")
        return self._programs.script(
            manifest.release,
            self._schema.look().revision or "",
            said.expands_to,
            is_embedded=self._schema.is_embedded,
        )

    def _seen(
        self, kit: ItemName, first: tuple[ServerName, ...]
    ) -> tuple[Policy, Inventory, ReleaseManifest, datetime]:
        findings = self._check_farm().findings
        now = self._clock.now()
        with self._transactions.reading() as records:
            _, manifest = farm_kit(records, kit)
            for name in first:
                records.servers.get(name)
            inventory = look_at_inventory(records, schema_seen(self._schema.look()), now, findings)
            policy = Policy(
                old=Release.parse(self._release),
                new=manifest.release,
                state=UpgradeState.RUNNING,
                first=first,
                acceptances=tuple(records.acceptances.all()),
                epoch=epoch_of(records),
            )
        return policy, inventory, manifest, now
