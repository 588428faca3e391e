"""Say whether computers that wait have something new to hear, with one look for all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corral.farm.application.computer_plans import Orderer
from corral.farm.application.computers_ahead import version_names, was_ordered_since
from corral.farm.application.observing import observes
from corral.farm.application.take_check_in import of_this_farm
from corral.farm.domain.access.audit import AuditFilter
from corral.farm.domain.computer.taking import takings

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from corral.farm.application.ports.certificates import CertificateAuthority
    from corral.farm.application.ports.records import Records, Transactions
    from corral.farm.application.ports.sources import Clock
    from corral.farm.domain.computer.computer import ComputerId


def stamp_of(records: Records) -> tuple[int, int]:
    """Give what differs as soon as something was changed that orders may follow from."""
    newest = records.audit.newest(AuditFilter(), 1)
    return (newest[0].number if newest else 0, records.replicas.count_complete())


class LookForOrders:
    """Gives the generation that a computer's orders would have if it checked in now.

    Changes nothing: what is new is counted when it is told.
    """

    def __init__(
        self, transactions: Transactions, authority: CertificateAuthority, clock: Clock
    ) -> None:
        self._transactions = transactions
        self._authority = authority
        self._clock = clock

    def stamp(self) -> tuple[int, int]:
        """Give what differs as soon as something was changed that orders may follow from.

        Whatever people change is in the audit log, whose last number says whether there was
        anything; that a server has all of a version is no change of that kind. What only a date
        brings about is in neither, so that somebody who waits looks from time to time all the same.
        """
        with self._transactions.reading() as records:
            return stamp_of(records)

    def __call__(self, computer_ids: Collection[ComputerId]) -> Mapping[ComputerId, int]:
        """Give it of each computer that the farm listens to; the others are left out.

        While the farm observes, there is nothing new for anybody.
        """
        now = self._clock.now()
        found: dict[ComputerId, int] = {}
        with self._transactions.reading() as records:
            farm = records.farm.get()
            is_observing, restoration = observes(records), records.restorations.find()
            names = {} if restoration is None else version_names(records)
            orderer = Orderer(records, now)
            said = {one.computer_id: one for one in records.check_ins.all()}
            given = {one.computer_id: one for one in records.computer_orders.all()}
            for computer in records.computers.all():
                if computer.id not in computer_ids or not computer.is_heard:
                    continue
                if is_observing:
                    found[computer.id] = 0
                    continue
                last, before = said.get(computer.id), given.get(computer.id)
                orders = orderer(computer, last)
                is_first = restoration is not None and not was_ordered_since(
                    records, computer.id, restoration
                )
                if is_first and last is not None and takings(last, orders, names):
                    # It would be told nothing.
                    found[computer.id] = 0
                    continue
                if before is None:
                    found[computer.id] = 1
                    continue
                digest = of_this_farm(orders, farm, self._authority).digest()
                found[computer.id] = before.generation + (digest != before.digest)
        return found
