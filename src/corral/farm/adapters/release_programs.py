"""Programs of other releases: those in this machine's releases folder, and a kit's, on trial.

A release that is not the running one is started in a process of its own: its code is not ours.
"""

from __future__ import annotations

import json
import os
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from corral.farm.domain.backup.errors import BackupUnreadError
from corral.farm.domain.library.errors import (
    KitDamagedError,
    KitUntrustedError,
    LibraryFileUnusableError,
)
from corral.farm.domain.library.release import Component
from corral.farm.domain.supervision.record import is_same_release
from corral.farm.domain.upgrade.errors import ReleaseProgramError, UpgradeKitInvalidError
from corral.kit.errors import KitError, UntrustedKitError
from corral.kit.layout import Wanted, try_out, unpack
from corral.kit.place import command

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from corral.farm.application.ports.farm_key import SignatureCheck
    from corral.farm.application.ports.library import KitLook, LibraryFiles
    from corral.farm.application.ports.scratch import Scratch
    from corral.farm.domain.library.kit import KeyId
    from corral.farm.domain.library.release import Release

FOLDER_VARIABLE: Final = "CORRAL_RELEASES"
"""Where the supervisor tells its services that releases lie."""
_PROGRAM: Final = "corral.farm.entrypoints.cli"
_LONGEST_SECONDS: Final = 3600


class FolderReleasePrograms:
    """Finds them by the variable that the supervisor sets."""

    def __init__(self, farm: Path, running: str, environment: Mapping[str, str]) -> None:
        self._farm = farm
        self._running = running
        self._environment = environment

    def has(self, release: Release) -> bool:
        """Whether it is the running one, or lies in the folder."""
        return self._is_running(release) or self._site(release) is not None

    def expand(self, release: Release) -> None:
        """Have it expand."""
        self._run(release, "expand", self._of_the_farm)

    def contract(self, release: Release) -> None:
        """Have it contract: whoever calls has seen that nobody needs what goes."""
        self._run(release, "contract", ["--yes", *self._of_the_farm])

    def script(self, release: Release, first: str, last: str, *, is_embedded: bool) -> str:
        """Have it write its steps."""
        dialect = "sqlite" if is_embedded else "postgresql"
        said = self._run(release, "script", ["--from", first, "--to", last, "--dialect", dialect])
        return str(json.loads(said)["script"])

    def _site(self, release: Release) -> Path | None:
        folder = self._environment.get(FOLDER_VARIABLE)
        if not folder:
            return None
        site = Path(folder) / "releases" / str(release) / "site"
        return site if site.is_dir() else None

    def _is_running(self, release: Release) -> bool:
        return is_same_release(str(release), self._running)

    @property
    def _of_the_farm(self) -> list[str]:
        return ["--farm", str(self._farm)]

    def _run(self, release: Release, what: str, options: list[str]) -> str:
        environment = dict(self._environment)
        if not self._is_running(release):
            site = self._site(release)
            if site is None:
                raise ReleaseProgramError(release, what, "it does not lie on this machine")
            environment["PYTHONPATH"] = str(site)
        try:
            return _run(["schema", what, *options, "--json"], environment)
        except _FailedError as error:
            raise ReleaseProgramError(release, what, str(error)) from error


class ScratchBackupReaders:
    """Lays a kit out as a server would, in a folder that is gone afterwards."""

    def __init__(
        self,
        files: LibraryFiles,
        is_signed: SignatureCheck,
        environment: Mapping[str, str],
        scratch: Scratch,
    ) -> None:
        self._files = files
        self._is_signed = is_signed
        self._scratch = scratch
        # What names a farm or its database here must not be what a scratch farm is taken for.
        self._environment = {
            name: value for name, value in environment.items() if not name.startswith("CORRAL_")
        }

    @contextmanager
    def laid_out(self, kit: Path, trusted: Mapping[KeyId, bytes]) -> Iterator[KitOnTrial]:
        """Lay it out for the length of the block."""
        look = self._files.look(kit, trusted)
        if look.publisher is None:
            raise _untrusted(kit, look)
        manifest = look.kit.manifest
        if manifest.component is not Component.FARM:
            raise UpgradeKitInvalidError(str(kit), manifest.component.value)
        with self._scratch.folder("kit") as place:
            self._unpack(kit, look, trusted, place)
            yield KitOnTrial(str(manifest.release), place, self._environment)

    def _unpack(
        self, kit: Path, look: KitLook, trusted: Mapping[KeyId, bytes], place: Path
    ) -> None:
        release = str(look.kit.manifest.release)
        wanted = Wanted("farm", lambda one: is_same_release(one, release), "", _PROGRAM)
        keys = {str(key): value for key, value in trusted.items()}
        try:
            with kit.open("rb") as file:
                unpack(file, wanted, keys, self._is_signed, lambda: place)
            try_out(place, wanted)
        except UntrustedKitError as error:
            raise _untrusted(kit, look) from error
        except KitError as error:
            raise KitDamagedError(kit, str(error)) from error
        except OSError as error:
            raise LibraryFileUnusableError(kit, error.strerror or str(error)) from error


class KitOnTrial:
    """The programs of a kit in a scratch folder."""

    def __init__(self, release: str, place: Path, environment: Mapping[str, str]) -> None:
        self.release = release
        self._environment = {**environment, "PYTHONPATH": str(place / "site")}
        # What is compiled lies with the release, and goes with it.
        self._environment.pop("PYTHONPYCACHEPREFIX", None)

    def read(self, farm: Path) -> None:
        """Expand the scratch farm, and read it."""
        for what in ("expand", "read"):
            try:
                _run(["schema", what, "--farm", str(farm), "--json"], self._environment)
            except _FailedError as error:
                reason = f"'corral schema {what}': {error}"
                raise BackupUnreadError(self.release, reason) from error


class _FailedError(Exception):
    """A program did not do what it was to; says why."""


def _run(words: list[str], environment: Mapping[str, str]) -> str:
    """Run a command of the release that the environment leads to; give what it printed."""
    try:
        done = subprocess.run(  # noqa: S603 - a release that was checked when it was laid out
            [*command(_PROGRAM), *words],
            check=False,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=_LONGEST_SECONDS,
            env=environment,
            cwd=os.sep,
        )
    except subprocess.TimeoutExpired:
        reason = f"it did not end within {_LONGEST_SECONDS // 60} minutes"
        raise _FailedError(reason) from None
    except OSError as error:
        raise _FailedError(error.strerror or str(error)) from error
    if done.returncode:
        raise _FailedError(_said(done.stderr or done.stdout))
    return done.stdout


def _untrusted(kit: Path, look: KitLook) -> KitUntrustedError:
    return KitUntrustedError(kit, ", ".join(key[:16] for key in look.signed_by))


def _said(text: str) -> str:
    """Give the message of an error as the command line writes it for programs."""
    last = text.strip().rpartition("\n")[2]
    try:
        document = json.loads(last)
    except json.JSONDecodeError:
        return last or "it did not say why"
    error = document.get("error", document) if isinstance(document, dict) else {}
    message = error.get("message") if isinstance(error, dict) else None
    return str(message or last)
