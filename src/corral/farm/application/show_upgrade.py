"""Show how far the farm's upgrade is, what comes next, and why something does not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from corral.farm.application.check_farm import CheckFarm
from corral.farm.application.look_at_upgrade import look_at_upgrade
from corral.farm.domain.naming import some_of
from corral.farm.domain.upgrade.blueprint import StepKind
from corral.farm.domain.upgrade.errors import NoUpgradeUnderWayError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from corral.farm.application.look_at_upgrade import UpgradeLook
    from corral.farm.application.ports.certificates import CertificateFiles
    from corral.farm.application.ports.farm_key import FarmKey
    from corral.farm.application.ports.records import Transactions
    from corral.farm.application.ports.schema import DatabaseSchema
    from corral.farm.application.ports.sources import Clock
    from corral.farm.domain.task.worker import Worker
    from corral.farm.domain.upgrade.plan import Plan
    from corral.farm.domain.upgrade.upgrade import Upgrade


@dataclass(frozen=True)
class UpgradeStatus:
    """One moment of it."""

    look: UpgradeLook
    plan: Plan
    """What a worker that looked now would decide."""
    untaken: str = ""
    """Why no worker that lives can take the next step; empty if one can, or none is next."""


class ShowUpgrade:
    """Looks as the workers do; changes nothing."""

    def __init__(
        self,
        transactions: Transactions,
        schema: DatabaseSchema,
        key: FarmKey,
        certificates: CertificateFiles,
        clock: Clock,
    ) -> None:
        self._transactions = transactions
        self._check_farm = CheckFarm(transactions, key, certificates, clock)
        self._schema = schema
        self._clock = clock

    def __call__(self) -> UpgradeStatus:
        """Give the status of what is under way, else of what was the last.

        Raises ``NoUpgradeUnderWayError`` if there never was one.
        """
        with self._transactions.reading() as records:
            known = records.upgrades.all()
            if not known:
                raise NoUpgradeUnderWayError
            # None begins before the one before is over.
            upgrade = known[-1]
            if upgrade.is_over and records.library_items.find(upgrade.kit) is None:
                # Its kit was taken out of the library, and with it what would be told of it.
                raise NoUpgradeUnderWayError
            look = look_at_upgrade(records, upgrade, self._schema.look(), self._clock.now())
            workers = [one for one in records.workers.all() if one.is_alive(look.at)]
        look = look.checked(lambda: self._check_farm().findings)
        plan = look.plan()
        return UpgradeStatus(look, plan, _untaken(look, plan, workers))


def _untaken(look: UpgradeLook, plan: Plan, workers: Sequence[Worker]) -> str:
    """Say why nobody takes the step that could be taken now, by what the workers say."""
    if plan.step is None:
        return ""
    kind = plan.step.kind
    if not workers:
        return "no worker lives: 'corral serve worker' starts one"
    if any(one.left_step != kind.value for one in workers):
        return ""
    names = some_of([one.name for one in workers])
    if kind is StepKind.CANARY:
        return (
            f"no machine with a worker ({names}) has corral-target, which reads as a device does:"
            " put it there, or start a worker where it is"
        )
    return (
        f"no machine with a worker ({names}) has the programs of {look.upgrade.new}: start a worker"
        " under the supervisor of a server where that release lies"
    )


class ListUpgrades:
    """Gives the farm's upgrades."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def __call__(self) -> Sequence[Upgrade]:
        """Give all, oldest first."""
        with self._transactions.reading() as records:
            return records.upgrades.all()
