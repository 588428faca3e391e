"""Where a version stands: one table of every move that there is.

The check of a move, the tests, and the diagram in ``docs/reference/versions.md`` come from it.
"""

from __future__ import annotations

from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from corral.farm.domain.image.errors import VersionTransitionError

if TYPE_CHECKING:
    from collections.abc import Mapping


class Standing(StrEnum):
    """Who may start a version, and whether it goes towards its end.

    ``PENDING`` is kept nowhere: a version in production is pending until its release was seen to be
    due (:mod:`corral.farm.domain.image.release`), and that is computed whenever somebody asks.
    """

    MAINTENANCE = "maintenance"
    """Maintenance devices only. A device that changes it writes beside it, never into it."""
    TEST = "test"
    """Test devices and maintenance devices."""
    PENDING = "pending"
    """Promoted to production, and not there yet: its date has not come, or a server lacks some of
    it. Test devices and maintenance devices start it already."""
    PRODUCTION = "production"
    """Every device. The newest of these is what production devices start, unless one is pinned."""
    RETIRED = "retired"
    """No device starts it; those that run it go on, and the stores keep it."""
    DELETING = "deleting"
    """Offered to nobody; some store may still have it."""
    DELETED = "deleted"
    """Gone from every store; kept so that its number is not given again."""

    @property
    def phrase(self) -> str:
        """Say it of a version: it is in production, it is retired."""
        match self:
            case Standing.MAINTENANCE | Standing.TEST | Standing.PRODUCTION:
                return f"in {self.value}"
            case Standing.DELETING:
                return "being deleted"
            case Standing.PENDING | Standing.RETIRED | Standing.DELETED:
                return self.value


class VersionEvent(StrEnum):
    """What can happen to a version."""

    PROMOTE_TO_TEST = "promote-to-test"
    PROMOTE_TO_PRODUCTION = "promote-to-production"
    SCHEDULE = "schedule"
    """Another date for a release that is awaited."""
    RELEASE = "release"
    """The date has come and every server that must serve it has it; or a person waits no longer."""
    REVERT_TO_TEST = "revert-to-test"
    REVERT_TO_MAINTENANCE = "revert-to-maintenance"
    RETIRE = "retire"
    DELETE = "delete"
    STORES_CLEARED = "stores-cleared"


_S, _E = Standing, VersionEvent

TRANSITIONS: Final[Mapping[tuple[Standing, VersionEvent], Standing]] = MappingProxyType(
    {
        (_S.MAINTENANCE, _E.PROMOTE_TO_TEST): _S.TEST,
        (_S.MAINTENANCE, _E.PROMOTE_TO_PRODUCTION): _S.PENDING,
        (_S.MAINTENANCE, _E.RETIRE): _S.RETIRED,
        (_S.MAINTENANCE, _E.DELETE): _S.DELETING,
        (_S.TEST, _E.PROMOTE_TO_PRODUCTION): _S.PENDING,
        (_S.TEST, _E.REVERT_TO_MAINTENANCE): _S.MAINTENANCE,
        (_S.TEST, _E.RETIRE): _S.RETIRED,
        (_S.TEST, _E.DELETE): _S.DELETING,
        (_S.PENDING, _E.SCHEDULE): _S.PENDING,
        (_S.PENDING, _E.RELEASE): _S.PRODUCTION,
        (_S.PENDING, _E.REVERT_TO_TEST): _S.TEST,
        (_S.PENDING, _E.REVERT_TO_MAINTENANCE): _S.MAINTENANCE,
        (_S.PENDING, _E.RETIRE): _S.RETIRED,
        (_S.PENDING, _E.DELETE): _S.DELETING,
        (_S.PRODUCTION, _E.REVERT_TO_TEST): _S.TEST,
        (_S.PRODUCTION, _E.REVERT_TO_MAINTENANCE): _S.MAINTENANCE,
        (_S.PRODUCTION, _E.RETIRE): _S.RETIRED,
        (_S.PRODUCTION, _E.DELETE): _S.DELETING,
        # What was retired by mistake begins again with those who look before others do.
        (_S.RETIRED, _E.REVERT_TO_TEST): _S.TEST,
        (_S.RETIRED, _E.DELETE): _S.DELETING,
        # A delete that was killed half way is simply asked for again.
        (_S.DELETING, _E.DELETE): _S.DELETING,
        (_S.DELETING, _E.STORES_CLEARED): _S.DELETED,
    }
)


def next_standing(standing: Standing, event: VersionEvent) -> Standing:
    """Give the standing after ``event``, refused if the table has no such arrow."""
    try:
        return TRANSITIONS[standing, event]
    except KeyError:
        raise VersionTransitionError(standing, event, allowed_events(standing)) from None


def allowed_events(standing: Standing) -> tuple[VersionEvent, ...]:
    """Give what the table lets happen next."""
    return tuple(event for event in VersionEvent if (standing, event) in TRANSITIONS)
