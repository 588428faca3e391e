"""Why a kit is not laid out. Whoever has it laid out says it in their own words."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class KitError(Exception):
    """The kit is not for this machine, as it is."""


class UntrustedKitError(KitError):
    """None of the trusted publishers has signed it."""

    def __init__(self, trusted: int) -> None:
        super().__init__(f"signed by none of {trusted} publishers")
        self.trusted = trusted


class DamagedKitError(KitError):
    """It is not byte for byte what its publisher signed, or not what a kit should be."""


class UnfitKitError(KitError):
    """It is another one than was ordered, or does not start here."""


class ListError(Exception):
    """The list of publishers cannot be used."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(reason)
        self.path = path
