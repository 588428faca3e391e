"""Have the engine's own release be the one that was ordered."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from corral.engine.domain.errors import DeniedError, EngineError, RefusedError
from corral.engine.domain.journal import Notice, Severity
from corral.engine.domain.slots.errors import NoLauncherError
from corral.engine.domain.slots.plan import (
    EndAgent,
    Keep,
    KitSeen,
    LayOut,
    Refusal,
    next_kit_step,
    wanted_kit,
)
from corral.engine.domain.slots.record import Slots
from corral.engine.domain.slots.report import KitReport, KitState, Trouble, kit_report
from corral.engine.domain.slots.stage import KitStage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from corral.engine.application.keeper import Keeper
    from corral.engine.application.kit_ports import Health, Installer, SlotRecords
    from corral.engine.application.ports import Chunks, Clock
    from corral.engine.domain.moment import Moment
    from corral.engine.domain.orders import KitOrder
    from corral.engine.domain.report import Transfer
    from corral.engine.domain.slots.record import Kit, Slot

_RETRY_SECONDS: Final = 30.0
_STEPS_AT_ONCE: Final = 16


@dataclass(frozen=True)
class StartedFrom:
    """What this agent was started from."""

    release: str
    is_launched: bool = False
    """By what starts agents, and may start another one after it."""
    slot: Slot | None = None
    root: str | None = None
    """Of the kit in the slot; None of the package's release."""


@dataclass
class TendKit:
    """Plans, carries one step out, looks again. ``__call__`` has one thread."""

    keeper: Keeper
    chunks: Chunks
    records: SlotRecords
    install: Installer
    started_from: StartedFrom
    clock: Clock
    _slots: Slots = field(default_factory=Slots)
    _refusal: Refusal | None = None
    _trouble: tuple[Kit, Trouble, Moment] | None = None

    def __post_init__(self) -> None:
        self._slots = self.records.load()

    def __call__(self, health: Health) -> bool:
        """Do what can be done now; False if this agent is to end, for the next one to start."""
        if not self.started_from.is_launched:
            return True
        for _ in range(_STEPS_AT_ONCE):
            order = self._order()
            step = next_kit_step(order, self._slots, self._look(order, health))
            match step:
                case Keep(slots):
                    self._keep(slots)
                case LayOut(kit):
                    if not self._lay_out(kit):
                        return True
                case EndAgent():
                    return False
                case _:
                    return True
        return True

    def is_settled(self) -> bool:
        """Whether the release that runs is not on trial, and is not to be left."""
        return not self._slots.changes_agents

    def report(self, transfers: Mapping[str, Transfer]) -> KitReport:
        """Say how it is with the ordered release."""
        order, slots, started = self._order(), self._slots, self.started_from
        transfer = None if order is None else transfers.get(order.root)
        trouble = self._trouble
        is_of_now = trouble is not None and trouble[0] == slots.coming
        said = kit_report(
            order,
            slots,
            release=started.release,
            running=started.root,
            transfer=transfer,
            trouble=trouble[1] if trouble is not None and is_of_now else None,
        )
        if started.is_launched or order is None or said.state is KitState.CURRENT:
            return said
        error = NoLauncherError()
        return KitReport(
            started.release,
            KitState.FAILED,
            wanted=order.release,
            attempt=order.attempt,
            code=error.code,
            problem=error.message,
        )

    def _order(self) -> KitOrder | None:
        orders = self.keeper.orders
        return None if orders is None else orders.kit

    def _look(self, order: KitOrder | None, health: Health) -> KitSeen:
        slots = self._slots
        wanted = wanted_kit(order, slots)
        is_here = False
        if wanted is not None and self.chunks.is_open():
            is_here = bool(self.chunks.held(frozenset({wanted.root})))
        # Asked only where it decides something.
        is_proving = slots.stage is KitStage.PROVING
        return KitSeen(
            running=self.started_from.release,
            is_here=is_here,
            laid_out=self.records.laid_out(slots.active.other),
            refusal=self._refusal,
            is_healthy=is_proving and health.does_its_work(),
            was_heard=is_proving and health.was_heard(),
            is_cut_off=is_proving and health.is_cut_off(),
        )

    def _keep(self, slots: Slots) -> None:
        before, self._slots = self._slots, slots
        self.records.keep(slots)
        if before.stage is not slots.stage:
            for notice in _notices(before, slots):
                self.keeper.note(notice)
            self.keeper.on_news()

    def _lay_out(self, kit: Kit) -> bool:
        """Install it; False if it is worth trying again later."""
        trouble = self._trouble
        if trouble is not None and trouble[0] == kit:
            is_due = self.clock.now().has_passed(trouble[2], _RETRY_SECONDS)
            if not is_due:
                return False
        try:
            self.install(kit, self._slots.active.other)
        except (DeniedError, RefusedError) as error:
            self._refusal = Refusal(kit, error.code, error.message)
        except EngineError as error:
            self._trouble = (kit, Trouble(error.code, error.message), self.clock.now())
            self.keeper.note(Notice(Severity.ERROR, error.code, error.message))
            return False
        self._trouble = None
        return True


def _notices(before: Slots, after: Slots) -> list[Notice]:
    """Give what is worth telling of a change."""
    match after.stage:
        case KitStage.INSTALLED if after.coming is not None:
            text = f"release {after.coming.release} of the engine is installed, and taken now"
            return [Notice(Severity.INFORMATION, "kit-installed", text)]
        case KitStage.RESTING if before.stage is KitStage.PROVING:
            text = f"release {after.release} of the engine has proven itself"
            return [Notice(Severity.INFORMATION, "kit-proven", text)]
        case KitStage.WENT_BACK if after.given_up is not None:
            return [Notice(Severity.WARNING, after.given_up.code, after.given_up.problem)]
        case KitStage.FAILED if after.given_up is not None:
            return [Notice(Severity.ERROR, after.given_up.code, after.given_up.problem)]
        case _:
            return []
