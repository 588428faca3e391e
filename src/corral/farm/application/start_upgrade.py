"""Begin to upgrade the farm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from corral.farm.application.check_upgrade import CheckUpgrade
from corral.farm.application.look_at_upgrade import epoch_of
from corral.farm.domain.upgrade.blueprint import UpgradeNumber
from corral.farm.domain.upgrade.errors import UpgradeHinderedError, UpgradeUnderWayError
from corral.farm.domain.upgrade.policy import SOAK
from corral.farm.domain.upgrade.state import UpgradeState
from corral.farm.domain.upgrade.upgrade import Upgrade, UpgradeId

if TYPE_CHECKING:
    from datetime import timedelta

    from corral.farm.application.ports.certificates import CertificateFiles
    from corral.farm.application.ports.farm_key import FarmKey
    from corral.farm.application.ports.records import Transactions
    from corral.farm.application.ports.schema import DatabaseSchema
    from corral.farm.application.ports.sources import Clock, IdSource
    from corral.farm.application.ports.upgrades import Reach
    from corral.farm.domain.estate.server import ServerName
    from corral.farm.domain.library.item import ItemName


@dataclass(frozen=True)
class UpgradeRequest:
    """Where to, and how."""

    kit: ItemName
    soak: timedelta = SOAK
    first: tuple[ServerName, ...] = ()
    """Servers to begin with."""


class StartUpgrade:
    """Checks once more, and lets the workers take the steps."""

    def __init__(  # noqa: PLR0913 - one for each port
        self,
        *,
        transactions: Transactions,
        key: FarmKey,
        certificates: CertificateFiles,
        schema: DatabaseSchema,
        reach: Reach,
        clock: Clock,
        ids: IdSource,
        release: str,
        by: str,
    ) -> None:
        self._transactions = transactions
        self._check = CheckUpgrade(transactions, key, certificates, schema, reach, clock, release)
        self._clock = clock
        self._ids = ids
        self._by = by

    def __call__(self, request: UpgradeRequest) -> Upgrade:
        """Give the upgrade that was begun.

        Raises ``UpgradeUnderWayError``, ``UpgradeHinderedError``, ``ServerUnknownError``, and what
        :class:`CheckUpgrade` raises.
        """
        found = self._check(request.kit)
        with self._transactions.writing() as records:
            under_way = records.upgrades.find_open()
            if under_way is not None:
                raise UpgradeUnderWayError(under_way.number, under_way.state, str(under_way.new))
            if found.hindrances:
                raise UpgradeHinderedError(
                    request.kit, [f"{one.obstacle.code} ({one.thing})" for one in found.hindrances]
                )
            for name in request.first:
                records.servers.get(name)
            past = records.upgrades.all()
            upgrade = Upgrade(
                id=UpgradeId(self._ids.new()),
                number=UpgradeNumber(past[-1].number + 1 if past else 1),
                kit=request.kit,
                old=found.now,
                new=found.to.release,
                state=UpgradeState.RUNNING,
                started_at=found.at,
                started_by=self._by,
                changed_at=found.at,
                soak=request.soak,
                epoch=epoch_of(records),
                first=request.first,
            )
            records.upgrades.add(upgrade)
            return upgrade
