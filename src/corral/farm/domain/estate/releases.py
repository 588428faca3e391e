"""Releases of the farm's software beside each other on a server, and what the farm wants of them.

An order says what should lie there and what should run. Its number only rises, so that a late one
is known for what it is; nothing in it is a command, so it may be heard twice, or not at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from corral.farm.domain.image.root import RootHash


@dataclass(frozen=True)
class OrderedKit:
    """A release that is to lie on the server, unpacked and tried."""

    release: str
    root: RootHash
    """Of the version that is the kit."""
    size_bytes: int
    name: str
    """That version, for people."""


@dataclass(frozen=True)
class OrderedSwitch:
    """A release that is to run."""

    release: str
    expects: str
    """What must run now; with anything else there, nothing is switched."""


@dataclass(frozen=True)
class ReleaseOrder:
    """All that the farm wants of the releases of one server."""

    number: int
    """Only rises. A server that has obeyed one obeys none with a lower number."""
    install: OrderedKit | None = None
    run: OrderedSwitch | None = None
    rest: bool = False
    """Of a relay: to serve nothing."""


@dataclass(frozen=True)
class ReleaseProblem:
    """Why a server has not done what it was ordered to."""

    order: int
    """The number of the order that it is about."""
    code: str
    message: str


@dataclass(frozen=True)
class SeenReleases:
    """What a server last said of its releases."""

    running: str
    installed: tuple[str, ...] = ()
    """What lies there beside it or as it, checked and tried."""
    order: int = 0
    """The highest number of an order that was obeyed."""
    is_ready: bool = False
    """Whether what runs has passed its self-test since its start."""
    is_supervised: bool = False
    """Whether something runs there that can install and switch releases."""
    is_resting: bool = False
    problem: ReleaseProblem | None = None
