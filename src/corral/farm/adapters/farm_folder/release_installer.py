"""Lays the farm's kits out in a machine's releases folder, and takes away what nobody needs."""

from __future__ import annotations

import errno
import shutil
from typing import TYPE_CHECKING, Final

from corral.farm.adapters.farm_folder.farm_key import is_signed
from corral.farm.domain.supervision.errors import (
    PublishersUnusableError,
    ReleaseDamagedError,
    ReleaseInUseError,
    ReleasesFullError,
    ReleasesUnusableError,
    ReleaseUnfitError,
    ReleaseUntrustedError,
)
from corral.farm.domain.supervision.record import is_same_release
from corral.kit import place as places
from corral.kit.errors import DamagedKitError, ListError, UnfitKitError, UntrustedKitError
from corral.kit.layout import Wanted, read_trusted, try_out, unpack

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from contextlib import AbstractContextManager
    from pathlib import Path

    from corral.farm.adapters.farm_folder.releases_folder import ReleasesFolder
    from corral.farm.domain.supervision.record import Supervision
    from corral.wire.kit import Reader

_COMPONENT: Final = "farm"
_PROGRAM: Final = "corral.farm.entrypoints.cli"
_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT})


class ReleaseInstaller:
    """Needs no network: everything is in the kit, whose chunks are here."""

    def __init__(
        self,
        folder: ReleasesFolder,
        kit: Callable[[str], AbstractContextManager[Reader]],
    ) -> None:
        self._folder = folder
        self._kit = kit

    def is_installed(self, release: str, root: str) -> bool:
        """Whether that very kit lies there whole."""
        found = self._folder.find(release)
        laid_out = None if found is None else places.laid_out(found)
        return laid_out is not None and laid_out[1] == root

    def __call__(self, release: str, root: str, state: Supervision) -> None:
        """Have the kit lie in its place, whole; what fails leaves nothing behind.

        Raises ``ReleaseUntrustedError``, ``ReleaseDamagedError``, ``ReleaseUnfitError``,
        ``ReleaseInUseError``, ``PublishersUnusableError``, ``ReleasesFullError``,
        ``ReleasesUnusableError``, and what reading the kit raises.
        """
        folder = self._folder
        there = folder.find(release)
        if there is not None and any(is_same_release(release, one) for one in state.kept):
            raise ReleaseInUseError(release)
        wanted = Wanted(_COMPONENT, lambda one: is_same_release(one, release), root, _PROGRAM)
        trusted = self._trusted(state.active)
        try:
            with self._kit(root) as file:
                unpack(file, wanted, trusted, is_signed, self._begin)
            try_out(folder.coming, wanted)
            folder.releases.mkdir(mode=0o700, exist_ok=True)
            place = there or folder.place(release)
            places.put(folder.coming, folder.going, place, release=release, root=root)
        except UntrustedKitError as error:
            raise ReleaseUntrustedError(release, error.trusted) from error
        except DamagedKitError as error:
            raise ReleaseDamagedError(release, str(error)) from error
        except UnfitKitError as error:
            raise ReleaseUnfitError(release, str(error)) from error
        except OSError as error:
            if error.errno in _NO_ROOM:
                raise ReleasesFullError(release, folder.path) from error
            raise ReleasesUnusableError(folder.path, _reason(error)) from error
        finally:
            shutil.rmtree(folder.coming, ignore_errors=True)

    def remove_others(self, kept: Collection[str]) -> list[str]:
        """Take away every release but these; give those that went."""
        folder = self._folder
        gone = []
        for release in folder.installed():
            if any(is_same_release(release, one) for one in kept):
                continue
            try:
                # What lies half there after a power cut is no release.
                shutil.rmtree(folder.going, ignore_errors=True)
                folder.place(release).rename(folder.going)
                shutil.rmtree(folder.going, ignore_errors=True)
            except OSError as error:
                raise ReleasesUnusableError(folder.path, _reason(error)) from error
            gone.append(release)
        return gone

    def _begin(self) -> Path:
        places.begin(self._folder.coming, self._folder.going)
        return self._folder.coming

    def _trusted(self, active: str) -> dict[str, bytes]:
        try:
            return read_trusted(self._folder.publishers, self._folder.find(active))
        except ListError as error:
            raise PublishersUnusableError(error.path, str(error)) from error


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
