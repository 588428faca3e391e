"""Media that somebody put into the computer, with versions of its farm on them."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

import corral_native as native

from corral.wire.medium import CHUNKS_FOLDER

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

MOUNTED_BELOW: Final = (Path("/media"), Path("/run/media"))
"""Where desktops mount what is plugged in, for a user or for everybody."""
_DEEP: Final = ("", "*", "*/*")

_Stamp = tuple[int, int]


@dataclass
class Media:
    """Looks for stores below some folders. None is kept open: a medium can be taken away."""

    places: tuple[Path, ...] = MOUNTED_BELOW
    _looked_at: dict[Path, tuple[_Stamp, frozenset[str]]] = field(default_factory=dict)

    def carried(self, farm: UUID) -> frozenset[str]:
        """Give the versions that are on a medium in full; one of another farm is passed over."""
        found: dict[Path, tuple[_Stamp, frozenset[str]]] = {}
        for path, stamp in self._stores():
            known = self._looked_at.get(path)
            found[path] = known if known and known[0] == stamp else (stamp, _versions(path, farm))
        self._looked_at = found
        return frozenset().union(*(roots for _, roots in found.values()))

    def open(self, farm: UUID) -> list[native.Store]:
        """Open them all, without writing anything."""
        opened: list[native.Store] = []
        for path, _ in self._stores():
            with suppress(native.NativeError, OSError):
                opened.append(native.Store.open_to_read(path, str(farm)))
        return opened

    def _stores(self) -> Iterator[tuple[Path, _Stamp]]:
        for place in self.places:
            for pattern in _DEEP:
                with suppress(OSError):
                    for path in sorted(place.glob(f"{pattern}/{CHUNKS_FOLDER}".lstrip("/"))):
                        # Both change when a version comes or goes, or another medium is put in.
                        seen = [(path / part).stat() for part in ("manifests", "flat")]
                        yield path, (seen[0].st_mtime_ns, seen[1].st_mtime_ns)


def _versions(path: Path, farm: UUID) -> frozenset[str]:
    with suppress(native.NativeError, OSError):
        return frozenset(native.Store.open_to_read(path, str(farm)).versions())
    return frozenset()
