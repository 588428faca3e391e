"""The computer's clocks: the only place where they are read."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Final

from corral.engine.domain.moment import Moment

_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


class SystemClock:
    """Moments count from the start of the computer, while it sleeps, too; nobody can set them."""

    @cached_property
    def _boot(self) -> str:
        return _BOOT_ID.read_text("ascii").strip()

    def now(self) -> Moment:
        """Give the moment."""
        return Moment(self._boot, time.clock_gettime(time.CLOCK_BOOTTIME))

    def wall(self) -> float:
        """Give seconds since 1970, which may be wrong."""
        return time.time()  # noqa: TID251 - this is the adapter that the rule names

    def minute_of_day(self) -> int:
        """Give the minute of the day where the computer is."""
        local = datetime.now(UTC).astimezone()  # noqa: TID251 - as above
        return local.hour * 60 + local.minute
