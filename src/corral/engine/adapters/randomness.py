"""Random numbers of the operating system."""

from __future__ import annotations

import secrets

_RESOLUTION = 1 << 30


class SystemRandomness:
    """Gives what nobody can foresee."""

    def fraction(self) -> float:
        """Give a number from 0 to 1."""
        return secrets.randbelow(_RESOLUTION) / _RESOLUTION
