"""What a relay keeps, and when it serves.

A relay is a server at a site behind a thin line. What it keeps is not said by the policy of a
store, but by what the computers of its site are assigned.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from corral.farm.domain.errors import InvalidInputError, TryAgainError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from corral.farm.domain.image.root import RootHash


class RelayNeedsManagementError(InvalidInputError):
    """The computers of a site reach their relay at its management address."""

    code = "relay-needs-management"

    def __init__(self, server: str) -> None:
        super().__init__(
            f"relay {server!r} has no management address: say with --management where the computers"
            " of its site reach it"
        )


class RelayReleaseDiffersError(TryAgainError):
    """A relay and its farm are of the same release, or the relay serves nothing."""

    code = "relay-release-differs"

    def __init__(self, relay: str, mine: str, farms: str) -> None:
        super().__init__(
            f"relay {relay!r} is of release {mine}, its farm of {farms or 'one that does not say'}:"
            " it carries and gives nothing until both are the same; install the farm's release on"
            " it. Computers go on with what they have"
        )


class RelayLineCutError(TryAgainError):
    """A relay has nothing to answer with while it does not reach its farm."""

    code = "relay-line-cut"

    def __init__(self, relay: str) -> None:
        super().__init__(
            f"relay {relay!r} does not reach its farm now, and has nothing newer for this computer:"
            " go on with the orders in force, and ask again"
        )


class RelayRestsError(TryAgainError):
    """A relay serves nothing while the farm is upgraded, or before it has tested itself."""

    code = "relay-rests"

    def __init__(self, relay: str) -> None:
        super().__init__(
            f"relay {relay!r} was told to rest while the farm is upgraded, or has not tested its"
            " new release yet: it carries and gives nothing meanwhile. Computers go on with what"
            " they have"
        )


def refuse_other_release(relay: str, mine: str, farms: str) -> None:
    """Raise ``RelayReleaseDiffersError`` unless a relay may serve."""
    if mine != farms:
        raise RelayReleaseDiffersError(relay, mine, farms)


@dataclass(frozen=True)
class Copied:
    """One version that a relay has, or was told to have."""

    root: RootHash
    may_go: bool
    """Nobody asked for it there by hand, nobody uses it there, its folder is nobody else's, and
    another server has all of it."""
    is_leaving: bool = False
    """It was told to let it go, and has not said that it has."""


@dataclass(frozen=True)
class Mirroring:
    """What is to be different on a relay."""

    comes: frozenset[RootHash]
    goes: frozenset[RootHash]

    def __bool__(self) -> bool:
        return bool(self.comes or self.goes)


def mirror(
    assigned: Collection[RootHash], copied: Iterable[Copied], *, takes_copies: bool = True
) -> Mirroring:
    """Give what comes to a relay and what goes from it, so that it keeps what is ``assigned``.

    One that was told to let something go says so before it is told to have it again. With
    ``takes_copies`` false, as while somebody works on it, nothing new comes.
    """
    known = {one.root: one for one in copied}
    comes = frozenset(assigned) - known.keys() if takes_copies else frozenset()
    goes = frozenset(
        root
        for root, one in known.items()
        if root not in assigned and one.may_go and not one.is_leaving
    )
    return Mirroring(comes, goes)
