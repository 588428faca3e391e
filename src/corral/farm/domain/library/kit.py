"""A kit: a release with its files, signed by whoever publishes it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NewType
from uuid import UUID

from corral.farm.domain.fields import Fields, read_object
from corral.farm.domain.library.errors import ManifestInvalidError, PublisherKeyInvalidError
from corral.farm.domain.library.manifest import FORMAT, ReleaseManifest, manifest_in
from corral.farm.domain.library.release import Release
from corral.farm.domain.naming import checked_name

if TYPE_CHECKING:
    from datetime import datetime

PublisherId = NewType("PublisherId", UUID)
PublisherName = NewType("PublisherName", str)
KeyId = NewType("KeyId", str)
"""The name of a publisher's key: the SHA-256 of its 32 bytes."""

KEY_PREFIX: Final = "corral-publisher-"
"""What the text of a public key begins with, so that it is not taken for another one."""
_HIGHEST_FORMAT: Final = 65_535
_MOST_BYTES: Final = 64 << 30
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,127}", re.ASCII)
_TOOLS_MEDIUM: Final = re.compile(r"guest-tools-([0-9]{1,9}(?:\.[0-9]{1,9}){0,5})\.img", re.ASCII)
_KEY: Final = re.compile(KEY_PREFIX + r"([0-9a-f]{64})", re.ASCII)


@dataclass(frozen=True)
class KitFile:
    """A file of a kit."""

    name: str
    size_bytes: int
    sha256: str
    is_executable: bool = False


@dataclass(frozen=True)
class Kit:
    """What a kit's signed table says."""

    manifest: ReleaseManifest
    files: tuple[KitFile, ...]
    text: str = field(compare=False, repr=False)
    """What was signed."""

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        """What people call it: ``engine-5.0``."""
        return self.manifest.name

    def tools_medium(self, release: Release) -> KitFile | None:
        """Give its file with the medium of a release of guest tools, if it brings that."""
        for file in self.files:
            found = _TOOLS_MEDIUM.fullmatch(file.name)
            if found is not None and Release.parse(found[1]) == release:
                return file
        return None


@dataclass(frozen=True)
class Publisher:
    """Somebody whose kits the farm believes."""

    id: PublisherId
    name: PublisherName
    public_key: bytes
    """Ed25519, 32 bytes."""
    fingerprint: KeyId
    added_at: datetime


def publisher_name(text: str) -> PublisherName:
    """Check a name for a publisher."""
    return PublisherName(checked_name("publisher", text))


def read_public_key(text: str) -> bytes:
    """Read a publisher's public key as it is written for people."""
    found = _KEY.fullmatch(text.strip())
    if found is None:
        raise PublisherKeyInvalidError(text.strip())
    return bytes.fromhex(found[1])


def written_public_key(key: bytes) -> str:
    """Give a publisher's public key as it is written for people."""
    return KEY_PREFIX + key.hex()


def read_kit(text: str) -> Kit:
    """Read a kit's signed table, all of it; raises ``ManifestInvalidError``."""
    fields = read_object(text, ManifestInvalidError)
    if fields.number("format", 1, _HIGHEST_FORMAT) != FORMAT:
        fields.refuse("format", f"this farm knows format {FORMAT} only")
    release = fields.object("release")
    manifest = manifest_in(release)
    release.finish()
    files = tuple(_file(one) for one in fields.objects("files"))
    fields.finish()
    if not files or len({one.name for one in files}) < len(files):
        fields.refuse("files", "there is at least one, and each name stands there once")
    return Kit(manifest, files, text)


def _file(fields: Fields) -> KitFile:
    name, digest = fields.text("name", 128), fields.text("sha256", 64)
    if _NAME.fullmatch(name) is None:
        fields.refuse("name", "a file has a name of letters, digits, dots and dashes, and no path")
    size = fields.number("size", 0, _MOST_BYTES)
    is_executable = fields.flag("executable")
    fields.finish()
    return KitFile(name, size, digest, is_executable)
