"""Say to the farm what is, and hear what should be."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from corral.engine.domain.errors import EngineError
from corral.engine.domain.failures import NotRegisteredError
from corral.engine.domain.journal import Notice, Severity
from corral.engine.domain.orders import check_orders
from corral.engine.domain.schedule import seconds_to_next, seconds_to_retry

if TYPE_CHECKING:
    from corral.engine.application.keeper import Keeper
    from corral.engine.application.ports import (
        Clock,
        Farm,
        FarmPlace,
        GivenOrders,
        Randomness,
        Records,
    )
    from corral.engine.application.show_status import ShowStatus

_DEFAULT_SECONDS = 300.0


@dataclass
class CheckIn:
    """One check-in; for one thread."""

    keeper: Keeper
    records: Records
    farm: Farm
    show_status: ShowStatus
    clock: Clock
    randomness: Randomness
    failures: int = 0
    problem: str = ""
    code: str = ""
    heard_at: int | None = None
    _noted: str = field(default="", init=False)

    def __call__(self) -> bool:
        """Check in; False if the farm did not answer, or with orders that are not followed."""
        place = self.keeper.place
        if place is None:
            raise NotRegisteredError
        try:
            status = self.show_status()
            # Used up before it is sent: one that was sent is never sent again.
            given = self.farm.check_in(place, status, self.records.next_sequence())
            self._accept(given, place)
        except EngineError as error:
            self.failures += 1
            self.problem, self.code = error.message, error.code
            if error.code != self._noted:
                self._noted = error.code
                self.keeper.note(Notice(Severity.WARNING, error.code, error.message))
            return False
        self.failures, self.problem, self.code, self._noted = 0, "", "", ""
        if given.is_kept:
            # A relay answered for the farm, which has heard nothing yet.
            return True
        if status.events:
            self.records.forget_events(status.events[-1].number)
        self.heard_at = int(self.clock.wall())
        return True

    def seconds_to_next(self) -> float:
        """Give how long to wait before the next one."""
        orders = self.keeper.orders
        interval = _DEFAULT_SECONDS if orders is None else float(orders.check_in_seconds)
        random = self.randomness.fraction()
        if self.failures:
            return seconds_to_retry(self.failures, interval, random)
        return seconds_to_next(interval, random)

    def _accept(self, given: GivenOrders, place: FarmPlace) -> None:
        with self.keeper.held():
            is_new = check_orders(
                given.orders,
                self.keeper.orders,
                farm=place.farm,
                computer=place.computer,
                is_signed=given.is_signed,
            )
            if not is_new:
                return
            orders, before = given.orders, self.keeper.orders
            self.keeper.follow(given)
            if before is None or before.place != orders.place:
                # So that the farm hears that they arrived; new tickets alone are not worth that.
                self.keeper.on_news()
            moved = replace(
                place,
                standing=orders.standing,
                api_urls=orders.api_urls or place.api_urls,
                certificate_authority=orders.certificate_authority or place.certificate_authority,
            )
            if moved != place:
                self.keeper.settle_in(moved)
