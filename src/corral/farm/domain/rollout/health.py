"""Whether a machine is worse off than it was: each is compared with its own past.

What a machine never had, the new version did not take away: without a past there is nothing to
compare, and an agent that was not healthy before counts as little against the new version as it
would for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from corral.farm.domain.rollout.errors import GateInvalidError

if TYPE_CHECKING:
    from corral.farm.domain.rollout.evidence import Evidence

_MOST_PERCENT: Final = 10_000
_MOST_RESTARTS: Final = 1000
_MOST_SLACK: Final = 86_400
_DAY: Final = timedelta(days=1)


class Worse(StrEnum):
    """In what a machine is worse off than before."""

    BOOT_TIME = "boot-time"
    """It takes much longer to start."""
    RESTARTS = "restarts"
    """It is restarted much more often."""
    AGENT = "agent"
    """Its guest agent was healthy, and is not."""


@dataclass(frozen=True)
class Baseline:
    """A machine as it was before it was offered the new version."""

    boot_milliseconds: int | None = None
    restarts_a_day: float | None = None
    was_healthy: bool | None = None
    """What its guest agent said; none if it said nothing."""


@dataclass(frozen=True)
class HealthLimits:
    """How much worse a machine may become. None: not looked at, because somebody said so."""

    boot_percent: int | None = 200
    """Its boot time may become so many per cent of what it was."""
    boot_slack: timedelta = timedelta(seconds=10)
    """And so much longer than that, so that fast machines are not judged by their noise."""
    extra_restarts: int | None = 3
    """Restarts beyond those that its past lets expect."""

    def __post_init__(self) -> None:
        for what, given, least, most in (
            ("boot time in per cent", self.boot_percent, 100, _MOST_PERCENT),
            ("slack of boot times in seconds", self.boot_slack.total_seconds(), 0, _MOST_SLACK),
            ("number of restarts", self.extra_restarts, 0, _MOST_RESTARTS),
        ):
            if given is not None and not least <= given <= most:
                raise GateInvalidError(what, given, f"it must be {least} to {most}")


def compared(
    before: Baseline, now: Evidence, limits: HealthLimits, restarts: int, watched: timedelta
) -> frozenset[Worse]:
    """Say in what the machine is worse off; ``restarts`` happened while it was watched so long."""
    found: set[Worse] = set()
    past, boot = before.boot_milliseconds, now.boot_milliseconds
    if limits.boot_percent is not None and past is not None and boot is not None:
        slack = limits.boot_slack // timedelta(milliseconds=1)
        if 100 * boot > past * limits.boot_percent + 100 * slack:
            found.add(Worse.BOOT_TIME)
    if limits.extra_restarts is not None and before.restarts_a_day is not None:
        expected = before.restarts_a_day * (watched / _DAY)
        if restarts > expected + limits.extra_restarts:
            found.add(Worse.RESTARTS)
    if before.was_healthy and now.is_healthy is False:
        found.add(Worse.AGENT)
    return frozenset(found)
