"""The port ``KitWorkshop``: makes keys and kits, on any machine."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import stat
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from corral.farm.domain.fields import read_object
from corral.farm.domain.library.errors import (
    KitExistsError,
    KitKeyUnusableError,
    KitSourceInvalidError,
    ManifestInvalidError,
)
from corral.farm.domain.library.kit import read_kit
from corral.farm.domain.library.release import Component, Release
from corral.wire import kit as wire

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from typing import IO

    from corral.farm.application.progress import Progress
    from corral.farm.domain.library.kit import Kit

_OWN_WHEEL: Final = re.compile(r"corral(?:_engine)?-([0-9]{1,9}(?:\.[0-9]{1,9}){0,5})-.*\.whl")
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_PRIVATE: Final = 0o600
_PIECE: Final = 1 << 20


class FolderWorkshop:
    """Works on files; nothing that it writes is in its place before it is whole."""

    def make_key(self, path: Path) -> bytes:
        """Write a new key, never over another."""
        key = Ed25519PrivateKey.generate()
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE)
            with os.fdopen(descriptor, "wb") as file:
                file.write(pem)
                file.flush()
                os.fsync(file.fileno())
        except FileExistsError as error:
            raise KitKeyUnusableError(path, "there is a file of that name already") from error
        except OSError as error:
            raise KitKeyUnusableError(path, _reason(error)) from error
        return key.public_key().public_bytes_raw()

    def build(
        self, manifest: str, sources: Sequence[Path], target: Path, key: Path, progress: Progress
    ) -> Kit:
        """Read each file twice: for the table, and into the kit, where it must be the same."""
        del progress  # a kit is small, and built where somebody watches
        private = _read_key(key)
        files = [_entry(path) for path in _gathered(sources)]
        names = [one.name for one, _ in files]
        for name in names:
            if names.count(name) > 1:
                raise KitSourceInvalidError(name, "two files of that name would be in it")
        if not files:
            raise KitSourceInvalidError(target, "it would have no file")
        payload = _payload(manifest, [one for one, _ in files])
        kit = read_kit(payload)
        _demand_own_release(kit, names)
        public = private.public_key().public_bytes_raw()
        begin = wire.envelope_for(payload.encode(), public, private.sign)
        if target.exists():
            raise KitExistsError(target)
        beside = target.with_name(f".{target.name}.{os.getpid()}.partial")
        try:
            with beside.open("xb") as file:
                file.write(begin)
                for one, path in files:
                    _append(file, one, path)
                file.flush()
                os.fsync(file.fileno())
            _put(beside, target)
        except OSError as error:
            raise KitSourceInvalidError(target, _reason(error)) from error
        finally:
            with suppress(OSError):
                beside.unlink()
        return kit


def _demand_own_release(kit: Kit, names: Sequence[str]) -> None:
    """Refuse here what each computer would refuse only after it has fetched it."""
    said = kit.manifest.release
    if kit.manifest.component is not Component.ENGINE:
        return
    for name in names:
        wheel = _OWN_WHEEL.match(name)
        if wheel is not None and Release.parse(wheel[1]) != said:
            why = f"it is release {wheel[1]}, and the manifest says {said}"
            raise KitSourceInvalidError(name, why)


def _payload(manifest: str, files: Sequence[wire.KitFile]) -> str:
    """Put the digest of the files into the manifest, and the files beside it."""
    read_object(manifest, ManifestInvalidError)
    release = json.loads(manifest)
    if "digest" in release:
        raise ManifestInvalidError(*_NO_DIGEST)
    release["digest"] = wire.content_digest(files)
    return json.dumps(
        {"format": 1, "release": release, "files": [one.model_dump() for one in files]}
    )


_NO_DIGEST: Final = ("digest", "it is left out: it follows from the files")


def _gathered(sources: Sequence[Path]) -> Iterator[Path]:
    for source in sources:
        if not source.is_dir():
            yield source
            continue
        for one in sorted(source.iterdir()):
            if not one.name.startswith("."):
                yield one


def _entry(path: Path) -> tuple[wire.KitFile, Path]:
    try:
        facts = path.stat()
        if not stat.S_ISREG(facts.st_mode):
            raise KitSourceInvalidError(path, "a kit has plain files only, and no folders")
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, hashlib.sha256).hexdigest()
        return (
            wire.KitFile(
                name=path.name,
                size=facts.st_size,
                sha256=digest,
                executable=bool(facts.st_mode & stat.S_IXUSR),
            ),
            path,
        )
    except OSError as error:
        raise KitSourceInvalidError(path, _reason(error)) from error
    except ValueError as error:
        why = "its name must be 1 to 128 of letters, digits, dot, dash, plus and underscore"
        raise KitSourceInvalidError(path, why) from error


def _append(file: IO[bytes], one: wire.KitFile, path: Path) -> None:
    seen = hashlib.sha256()
    with path.open("rb") as source:
        while piece := source.read(_PIECE):
            seen.update(piece)
            file.write(piece)
    if seen.hexdigest() != one.sha256:
        raise KitSourceInvalidError(path, "it was changed while the kit was built")


def _put(beside: Path, target: Path) -> None:
    try:
        os.link(beside, target)
    except FileExistsError:
        raise KitExistsError(target) from None
    except OSError:
        # A file system without hard links.
        shutil.move(beside, target)


def _read_key(path: Path) -> Ed25519PrivateKey:
    try:
        if path.stat().st_mode & _OTHERS:
            raise KitKeyUnusableError(path, "others than its owner can read it")
        key = load_pem_private_key(path.read_bytes(), password=None)
    except OSError as error:
        raise KitKeyUnusableError(path, _reason(error)) from error
    except (ValueError, TypeError) as error:
        raise KitKeyUnusableError(path, "it is not a private key") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise KitKeyUnusableError(path, "it is not an Ed25519 key")
    return key


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
