"""When an engine checks in.

Thousands of engines share a farm. Each has its own jitter, so that they do not come at once when a
server returns, and waits longer after each failure, so that a farm that is overrun recovers.
``random`` is a number from 0 to 1, drawn by whoever asks.
"""

from __future__ import annotations

from typing import Final

_JITTER: Final = 0.2
_FIRST_RETRY_SECONDS: Final = 5.0
_MAXIMUM_DOUBLINGS: Final = 16
LONGEST_RETRY_SECONDS: Final = 900.0
SOON_SECONDS: Final = 1.0
"""Between something worth telling and the check-in that tells it, so that several go together."""


def seconds_to_next(interval_seconds: float, random: float) -> float:
    """Give the wait after a check-in that was heard: the interval, give or take a fifth."""
    return interval_seconds * (1.0 - _JITTER + 2.0 * _JITTER * random)


def seconds_to_retry(failures: int, interval_seconds: float, random: float) -> float:
    """Give the wait after the given number of failures in a row.

    It doubles, is never longer than a quarter of an hour or than the interval if that is longer,
    and is spread over its upper half.
    """
    doubled = _FIRST_RETRY_SECONDS * 2.0 ** min(max(failures - 1, 0), _MAXIMUM_DOUBLINGS)
    longest = min(doubled, max(LONGEST_RETRY_SECONDS, interval_seconds))
    return longest * (0.5 + 0.5 * random)
