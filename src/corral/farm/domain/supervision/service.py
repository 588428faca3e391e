"""The services of a machine: what a supervisor starts from the release in force."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

SERVED: Final = ("stream", "api", "worker")
_STREAM: Final = ("serve", "stream")


@dataclass(frozen=True)
class Service:
    """One long-lived process."""

    name: str
    words: tuple[str, ...]
    """What stands behind ``corral``."""
    stops: int = 0
    """Its place when all are stopped: the lowest first. They are started the other way round."""

    @property
    def is_stream(self) -> bool:
        """Whether it is the stream process, which tests itself and passes orders on."""
        return self.words[:2] == _STREAM


def in_order_of_stopping(services: Sequence[Service]) -> list[list[Service]]:
    """Give the services in the groups in which they end, the first to end in front."""
    places = sorted({one.stops for one in services})
    return [[one for one in services if one.stops == place] for place in places]
