"""Where a stream process looks for the farm's API, in which order.

Not here: who asks, and what of.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

BACK_AFTER_SECONDS: Final = 60.0
"""For so long it stays with a URL that the farm does not name any more, before it looks whether
somebody answers at those that it does. To ask in vain takes seconds, in which no report is sent."""


@dataclass
class ApiUrls:
    """The farm's URLs, then those of the server's file. Whoever answered last is asked first.

    A URL that is neither the farm's nor the file's is still asked while it is the last that
    answered: a farm that was given wrong URLs must be able to give others. May be used from several
    threads.
    """

    of_file: tuple[str, ...]
    monotonic: Callable[[], float] = time.monotonic
    _of_farm: tuple[str, ...] = field(default=(), init=False)
    _answered: str | None = field(default=None, init=False)
    _back_at: float | None = field(default=None, init=False)

    def adopt(self, urls: Iterable[str]) -> bool:
        """Take what the farm says; whether that is news. None at all is an older farm's silence."""
        wanted = tuple(urls)
        if wanted == self._of_farm:
            return False
        self._of_farm, self._back_at = wanted, None
        return True

    def in_turn(self) -> tuple[str, ...]:
        """Give all, the one to be asked first at the beginning."""
        known = (*self._of_farm, *self.of_file)
        last = self._answered
        if last is None:
            return tuple(dict.fromkeys(known))
        is_farms = last in (self._of_farm or self.of_file)
        is_staying = self._back_at is not None and self.monotonic() < self._back_at
        if is_farms or is_staying:
            return tuple(dict.fromkeys((last, *known)))
        return tuple(dict.fromkeys((*self._of_farm, last, *self.of_file)))

    def note_answer(self, url: str) -> None:
        """Remember who answered."""
        is_farms = url in (self._of_farm or self.of_file)
        is_over = self._back_at is None or self.monotonic() >= self._back_at
        if is_farms:
            self._back_at = None
        elif is_over:
            self._back_at = self.monotonic() + BACK_AFTER_SECONDS
        self._answered = url

    def to_keep(self) -> tuple[str, ...]:
        """Give what the next process should begin with: the farm's, and who answered last."""
        last = () if self._answered is None else (self._answered,)
        return tuple(dict.fromkeys((*self._of_farm, *last))) if self._of_farm else ()
