"""Lays a kit out: it is believed, checked, unpacked and tried before it has a place."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from corral.kit.errors import DamagedKitError, ListError, UnfitKitError, UntrustedKitError
from corral.kit.place import command, environment
from corral.kit.wheels import SUFFIX, WheelError, lay_out
from corral.wire import kit as wire

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from typing import IO

_TRY_SECONDS: Final = 300.0
_PROGRAM: Final = 0o700
_PLAIN: Final = 0o600


@dataclass(frozen=True)
class Wanted:
    """The kit that is to be laid out."""

    component: str
    is_release: Callable[[str], bool]
    """Whether a release as it is written is the one that was ordered."""
    root: str
    module: str
    """Python starts it with ``--version``, and it says a line that ends with its release."""


def read_trusted(publishers: Path, brought: Path | None) -> dict[str, bytes]:
    """Give the publishers' keys: those that the running release brought, if it names any.

    Without a list nobody is trusted. Raises ``ListError``.
    """
    own = None if brought is None else brought / "files" / wire.PUBLISHERS
    path = own if own is not None and own.exists() else publishers
    try:
        return wire.read_publishers(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ListError(path, (error.strerror or str(error)).lower()) from error
    except (wire.KitFormatError, UnicodeDecodeError) as error:
        raise ListError(path, str(error)) from error


def unpack(
    file: wire.Reader,
    wanted: Wanted,
    trusted: Mapping[str, bytes],
    is_signed: wire.IsSigned,
    coming: Callable[[], Path],
) -> None:
    """Lay a kit out in the folder that ``coming`` gives once it is known whose kit it is.

    Raises ``UntrustedKitError``, ``DamagedKitError``, ``UnfitKitError``, ``OSError``.
    """
    try:
        envelope = wire.read_envelope(file)
        if envelope.signer(trusted, is_signed) is None:
            raise UntrustedKitError(len(trusted))
        table = wire.read_table(envelope.payload)
        _expect_ordered(table, wanted)
        folder = coming()
        wheels = _write_files(file, table, folder)
        lay_out(wheels, folder / "site")
    except (wire.KitFormatError, WheelError) as error:
        raise DamagedKitError(str(error)) from error
    for wheel in wheels:
        wheel.unlink()


def try_out(coming: Path, wanted: Wanted) -> None:
    """See that the release starts at all with this machine's Python, and says who it is.

    It is signed by whom this machine lets run anything, so it may be run. Raises
    ``UnfitKitError``.
    """
    try:
        done = subprocess.run(  # noqa: S603 - a program whose publisher is trusted
            [*command(wanted.module), "--version"],
            check=False,
            capture_output=True,
            text=True,
            timeout=_TRY_SECONDS,
            env=environment(coming),
            cwd="/",
        )
    except subprocess.TimeoutExpired:
        reason = "it does not start"
        raise UnfitKitError(reason) from None
    words = done.stdout.split()
    if done.returncode or not words:
        last = done.stderr.strip().rpartition("\n")[2]
        reason = f"it does not start: {last or 'it did not say why'}"
        raise UnfitKitError(reason)
    if not wanted.is_release(words[-1]):
        reason = f"the {wanted.component} in it says that it is {words[-1]}"
        raise UnfitKitError(reason)


def _expect_ordered(table: wire.KitTable, wanted: Wanted) -> None:
    found = table.release
    if found.component != wanted.component:
        reason = f"it is a kit of the {found.component}"
        raise UnfitKitError(reason)
    if not wanted.is_release(found.release):
        reason = f"it says that it is release {found.release}"
        raise UnfitKitError(reason)


def _write_files(file: wire.Reader, table: wire.KitTable, coming: Path) -> list[Path]:
    """Write the kit's files, each checked; give the wheels among them."""
    files = coming / "files"
    files.mkdir()
    (coming / "site").mkdir()
    wheels: list[Path] = []
    opened: list[IO[bytes]] = []

    def start(one: wire.KitFile) -> Callable[[bytes], object]:
        for before in opened:
            before.close()
        path = files / one.name
        if one.name.endswith(SUFFIX):
            wheels.append(path)
        taking = path.open("xb")
        opened[:] = [taking]
        path.chmod(_PROGRAM if one.executable else _PLAIN)
        return taking.write

    try:
        wire.read_files(file, table, start)
    finally:
        for last in opened:
            last.close()
    return wheels
