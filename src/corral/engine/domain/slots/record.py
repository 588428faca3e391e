"""What is kept of the engine's releases: a value, written whole after each change."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from corral.engine.domain.slots.stage import KitEvent, KitStage, next_kit_stage

MAXIMUM_TRIES = 3
"""Starts from a new slot without a proof, before the slot before is started again."""

NOT_HEALTHY = "not-healthy"
DOES_NOT_START = "does-not-start"


class Slot(StrEnum):
    """One of the two places that releases are installed in."""

    A = "a"
    B = "b"

    @property
    def other(self) -> Slot:
        """The one beside it."""
        return Slot.B if self is Slot.A else Slot.A


@dataclass(frozen=True)
class Kit:
    """A release, as the farm ordered it."""

    release: str
    root: str
    attempt: int = 0


@dataclass(frozen=True)
class GivenUpKit:
    """A release that did not work: not installed again under this attempt."""

    root: str
    attempt: int
    code: str
    problem: str


@dataclass(frozen=True)
class Slots:
    """Both slots, and what is going on with them. ``stage`` changes by ``moved`` alone.

    A slot with nothing in it stands for the release that came with the computer's package.
    """

    active: Slot = Slot.A
    """The one that the next start is from."""
    release: str = ""
    """What is in the active slot."""
    stage: KitStage = KitStage.RESTING
    coming: Kit | None = None
    given_up: GivenUpKit | None = None
    tries: int = 0
    """Starts from the active slot since it was changed, counted before each."""
    was_healthy: bool = False
    """The release on trial has said once that it does its work, though no farm has heard it yet."""
    boot: str = ""
    """The run of the computer in which the last start on trial was."""
    before: str = ""
    """What was in force before the change: the release in the other slot."""

    def moved(self, event: KitEvent) -> Slots:
        """Give what it becomes by ``event``."""
        return replace(self, stage=next_kit_stage(self.stage, event))

    @property
    def is_on_trial(self) -> bool:
        """Whether what starts agents has to watch over the next one."""
        return self.stage is KitStage.PROVING and not self.was_healthy

    @property
    def changes_agents(self) -> bool:
        """Whether an agent that has ended is started anew at once."""
        return self.stage in {KitStage.INSTALLED, KitStage.PROVING, KitStage.GOING_BACK}


def begin_start(slots: Slots, *, laid_out: str | None, boot: str) -> Slots:
    """Give the record with which the next agent is started; it is kept before that is done.

    What starts agents is small and stays the same for years: all that it decides is this, and
    ``overdue``. A release that dies before it can say anything is turned back here, without any
    code of its own. ``laid_out`` is the root of what lies whole in the slot that is not active.
    """
    if slots.stage is KitStage.INSTALLED and slots.coming is not None:
        if laid_out != slots.coming.root:
            return slots.moved(KitEvent.LOST)
        switched = replace(slots.moved(KitEvent.SWITCHED), tries=1, was_healthy=False, boot=boot)
        return _turned(switched, slots.coming.release)
    if slots.stage not in {KitStage.PROVING, KitStage.GOING_BACK}:
        return slots
    if slots.was_healthy and slots.boot != boot:
        # The computer was off in between: that is no fault of a release that did its work.
        return replace(slots, boot=boot)
    if slots.tries < MAXIMUM_TRIES:
        return replace(slots, tries=slots.tries + 1, boot=boot)
    if slots.stage is KitStage.GOING_BACK:
        return slots.moved(KitEvent.GAVE_UP)
    back = turn_back(slots, DOES_NOT_START, f"it ended {slots.tries} times")
    return replace(back, tries=1, boot=boot)


def overdue(slots: Slots, seconds: float) -> Slots:
    """Give the record once the release on trial has not said in time that it does its work."""
    if not slots.is_on_trial:
        return slots
    return turn_back(slots, NOT_HEALTHY, f"it did not do its work within {seconds:.0f} s")


def turn_back(slots: Slots, code: str, reason: str) -> Slots:
    """Have the slot before be started next, and hold the release that did not work."""
    kit = slots.coming
    given_up = slots.given_up
    if kit is not None:
        problem = f"release {kit.release} was taken back: {reason}"
        given_up = GivenUpKit(kit.root, kit.attempt, code, problem)
    moved = slots.moved(KitEvent.NOT_PROVED)
    back = replace(moved, given_up=given_up, coming=None, tries=0, was_healthy=False)
    return _turned(back, slots.before)


def _turned(slots: Slots, release: str) -> Slots:
    return replace(slots, active=slots.active.other, release=release, before=slots.release)
