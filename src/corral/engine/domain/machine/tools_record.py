"""What is kept of the guest tools that the engine brings to a shared machine."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ToolsStage(StrEnum):
    """How far newer guest tools are on one machine, over one version."""

    INSTALLING = "installing"
    """It runs from its version alone, with the medium beside, and they are being installed."""
    INSTALLED = "installed"
    """They are in its system disk, which becomes a layer at the next start."""
    ON_TRIAL = "on-trial"
    """It starts over the layer, and has not shown yet that it works."""
    KEPT = "kept"
    """It starts over the layer, until another version comes."""
    GIVEN_UP = "given-up"
    """It starts without, and they are not tried again on this version."""


@dataclass(frozen=True)
class ToolsUpdate:
    """Newer guest tools for one version on one machine."""

    root: str
    """The version that the layer is over."""
    release: str
    """Of the tools."""
    stage: ToolsStage
    kept: str | None = None
    """The release in the layer that worked before, to which it is put back."""
    tries: int = 0
    """Starts in this stage."""
    code: str = ""
    problem: str = ""
    """Why they were given up."""
