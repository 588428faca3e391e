"""What an agent does next about its own releases: pure, one step at a time.

A release on trial is not its own judge: whether its time is up is for what starts agents, which is
not a part of it. All that a release can do is to say that it does its work.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Final, TypeAlias

from corral.engine.domain.releases import is_same
from corral.engine.domain.slots.record import GivenUpKit, Kit, Slots
from corral.engine.domain.slots.stage import KitEvent, KitStage

if TYPE_CHECKING:
    from corral.engine.domain.orders import KitOrder

_BEFORE_THE_SWITCH: Final = frozenset({KitStage.FETCHING, KitStage.INSTALLING, KitStage.INSTALLED})
_IN_BETWEEN: Final = frozenset({KitStage.PROVING, KitStage.GOING_BACK})


@dataclass(frozen=True)
class Refusal:
    """Why a kit cannot be installed."""

    kit: Kit
    code: str
    problem: str


@dataclass(frozen=True)
class KitSeen:
    """One look at what the agent's release needs, and how it does."""

    running: str
    """The release of the agent that looks."""
    is_here: bool = False
    """Whether every chunk of the ordered kit is."""
    laid_out: str | None = None
    """The root of what lies whole in the slot that does not run."""
    refusal: Refusal | None = None
    is_healthy: bool = False
    """The disk process answers it, it has seen to every machine, and it shows its status."""
    was_heard: bool = False
    """The farm has answered a check-in of this agent."""
    is_cut_off: bool = False
    """No farm could be reached, which is no fault of a release."""


class KitWaiting(StrEnum):
    """Why nothing is done now."""

    NOTHING = "nothing"
    CHUNKS = "chunks"
    START = "start"
    """Another agent has to be started first."""
    PROOF = "proof"


@dataclass(frozen=True)
class Keep:
    """Keep a changed record."""

    slots: Slots


@dataclass(frozen=True)
class LayOut:
    """Install the kit in the slot that does not run; begun anew if it was broken off."""

    kit: Kit


@dataclass(frozen=True)
class EndAgent:
    """End this agent: what starts agents takes the other slot. Machines do not notice."""


KitStep: TypeAlias = Keep | LayOut | EndAgent | KitWaiting


def next_kit_step(order: KitOrder | None, slots: Slots, seen: KitSeen) -> KitStep:
    """Give the next step towards the ordered release."""
    if slots.stage not in _IN_BETWEEN and not is_same(seen.running, slots.release):
        # There was no record yet, or the computer's package brought another release.
        return Keep(replace(slots, release=seen.running))
    match slots.stage:
        case KitStage.PROVING:
            return _prove(slots, seen)
        case KitStage.GOING_BACK if is_same(seen.running, slots.release):
            return Keep(replace(slots.moved(KitEvent.RETURNED), tries=0))
        case KitStage.GOING_BACK:
            return KitWaiting.START
        case _:
            return _follow(wanted_kit(order, slots), slots, seen)


def wanted_kit(order: KitOrder | None, slots: Slots) -> Kit | None:
    """Give the release that is to come: none if it runs, or was given up under its attempt."""
    if order is None or is_same(order.release, slots.release):
        return None
    given_up = slots.given_up
    if given_up is not None and given_up.root == order.root and order.attempt <= given_up.attempt:
        return None
    return Kit(order.release, order.root, order.attempt)


def _prove(slots: Slots, seen: KitSeen) -> KitStep:
    if not is_same(seen.running, slots.release):
        # Started by hand, or from outside: an agent of another release proves nothing.
        return KitWaiting.START
    if not seen.is_healthy:
        return KitWaiting.PROOF
    if seen.was_heard:
        proven = slots.moved(KitEvent.PROVED)
        return Keep(replace(proven, coming=None, given_up=None, tries=0, was_healthy=False))
    if seen.is_cut_off and not slots.was_healthy:
        return Keep(replace(slots, was_healthy=True))
    return KitWaiting.PROOF


def _follow(wanted: Kit | None, slots: Slots, seen: KitSeen) -> KitStep:
    if slots.stage not in _BEFORE_THE_SWITCH:
        if wanted is None:
            return KitWaiting.NOTHING
        return Keep(replace(slots.moved(KitEvent.ORDERED), coming=wanted))
    if wanted is None:
        return Keep(replace(slots.moved(KitEvent.WITHDRAWN), coming=None))
    if wanted != slots.coming:
        return Keep(replace(slots.moved(KitEvent.ORDERED), coming=wanted))
    return _go_on(wanted, slots, seen)


def _go_on(wanted: Kit, slots: Slots, seen: KitSeen) -> KitStep:
    is_laid_out = seen.laid_out == wanted.root
    match slots.stage:
        case KitStage.FETCHING:
            return Keep(slots.moved(KitEvent.ARRIVED)) if seen.is_here else KitWaiting.CHUNKS
        case KitStage.INSTALLED if is_laid_out:
            return EndAgent()
        case KitStage.INSTALLED:
            return Keep(slots.moved(KitEvent.LOST))
        case _ if is_laid_out:
            return Keep(slots.moved(KitEvent.LAID_OUT))
        case _ if seen.refusal is not None and seen.refusal.kit == wanted:
            return Keep(_refused(slots, seen.refusal))
        case _ if not seen.is_here:
            return Keep(slots.moved(KitEvent.LOST))
        case _:
            return LayOut(wanted)


def _refused(slots: Slots, refusal: Refusal) -> Slots:
    """Hold a kit that cannot be installed; the slot that runs is not touched."""
    kit = refusal.kit
    given_up = GivenUpKit(kit.root, kit.attempt, refusal.code, refusal.problem)
    return replace(slots.moved(KitEvent.REFUSED), given_up=given_up, coming=None)
