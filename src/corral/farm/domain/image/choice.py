"""Which version a device starts."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from corral.farm.domain.image.standing import Standing
from corral.farm.domain.image.version import Access

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from corral.farm.domain.image.version import Version, VersionNumber

# What each kind of device may start before production devices do.
_AHEAD: Final[Mapping[Access, frozenset[Standing]]] = MappingProxyType(
    {
        Access.PRODUCTION: frozenset(),
        Access.TEST: frozenset({Standing.TEST, Standing.PENDING}),
        Access.MAINTENANCE: frozenset({Standing.MAINTENANCE, Standing.TEST, Standing.PENDING}),
    }
)


def version_to_start(
    versions: Iterable[Version], kind: Access, pinned: VersionNumber | None = None
) -> Version | None:
    """Give the version that a device of that kind starts, of all versions of its image.

    A production device starts the pinned version, or else the newest that is released. A test
    device starts the newest version that is in test or waits for its release, if it is newer than
    that; a maintenance device also one in maintenance. Releases that are due must have been noted.
    """
    known = tuple(versions)
    released = [v for v in known if v.standing is Standing.PRODUCTION]
    usual = next((v for v in released if v.number == pinned), _newest(released))
    ahead = _newest(v for v in known if v.standing in _AHEAD[kind])
    if ahead is not None and (usual is None or ahead.number > usual.number):
        return ahead
    return usual


def _newest(versions: Iterable[Version]) -> Version | None:
    return max(versions, key=lambda version: version.number, default=None)
