"""What DBOS says of a workflow, in the words of the domain: one table."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from corral.farm.domain.task.engine import EngineState

if TYPE_CHECKING:
    from collections.abc import Mapping

STATES: Final[Mapping[str, EngineState]] = MappingProxyType(
    {
        "ENQUEUED": EngineState.WAITING,
        "DELAYED": EngineState.WAITING,
        "PENDING": EngineState.STARTED,
        "SUCCESS": EngineState.ENDED,
        # Our workflow raises nothing: whatever it met, it met outside of the task.
        "ERROR": EngineState.GIVEN_UP,
        "MAX_RECOVERY_ATTEMPTS_EXCEEDED": EngineState.GIVEN_UP,
        "CANCELLED": EngineState.WITHDRAWN,
    }
)
"""A test compares it with every state that the installed DBOS has."""
