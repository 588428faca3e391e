"""The file of a kit: a signed table of files, then the files; drawn in ``docs/formats/kit.md``.

It is read from its beginning: twelve bytes, an envelope of bounded length (DSSE), and each file for
as many bytes as the table says. Nothing has to be believed, or laid out anywhere, before the
signature is checked; no name in it is a path. Whoever reads gives the check of signatures.
"""

import base64
import binascii
import hashlib
import json
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Final, Protocol, TypeAlias

from pydantic import Field, StringConstraints, ValidationError

from corral.wire.message import Part

MAGIC: Final = b"CORRLKIT"
HEAD: Final = struct.Struct("<8sI")
ENVELOPE_BYTES: Final = 1 << 20
"""The longest envelope that is read."""
PAYLOAD_TYPE: Final = "application/vnd.corral.kit.v1+json"
MOST_FILES: Final = 1024
MOST_BYTES: Final = 64 << 30
SUFFIX: Final = ".corral-kit"
PUBLISHERS: Final = "publishers"
"""A file that a kit may have: by whom the kits after it are signed."""
KEY_PREFIX: Final = "corral-publisher-"
"""What the text of a public key begins with, so that it is not taken for another one."""

_PIECE: Final = 1 << 20
_KEY_DIGITS: Final = 64

Sign: TypeAlias = Callable[[bytes], bytes]
IsSigned: TypeAlias = Callable[[bytes, bytes, bytes], bool]
"""Whether the owner of a public key signed a message."""

Sha256Hex = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
FileName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]{0,127}$")]
"""A name within one folder; never a path, never hidden."""


class Reader(Protocol):
    """What a kit is read from: a file, or something that gives bytes like one."""

    def read(self, length: int, /) -> bytes:
        """Give the next bytes, fewer at the end."""


class KitFormatError(Exception):
    """The file is not a kit, or not a whole one; says in words what is wrong with it."""


class KitDigestError(KitFormatError):
    """A file of the kit is not what the signed table says."""


class KitFile(Part):
    """A file of a kit, where it stands in the table."""

    name: FileName
    size: Annotated[int, Field(ge=0, le=MOST_BYTES)]
    sha256: Sha256Hex
    executable: bool = False


class KitRelease(Part):
    """The release that a kit brings; the rest of its manifest is the farm's matter."""

    component: Annotated[str, Field(max_length=64)]
    release: Annotated[str, Field(min_length=1, max_length=64)]
    digest: Sha256Hex


class KitTable(Part):
    """The signed table of a kit, as a computer reads it; the farm also reads all of ``release``."""

    release: KitRelease
    files: Annotated[tuple[KitFile, ...], Field(min_length=1, max_length=MOST_FILES)]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(one.size for one in self.files)


@dataclass(frozen=True)
class Signature:
    """One signature of the envelope."""

    key_id: str
    """A hint at whose it is; nothing is believed because of it."""
    value: bytes


@dataclass(frozen=True)
class Envelope:
    """What is in front of the files."""

    payload: bytes
    signatures: tuple[Signature, ...]
    size: int
    """Bytes before the first file."""

    def signer(self, trusted: Mapping[str, bytes], is_signed: IsSigned) -> str | None:
        """Give the key of ``trusted`` (public keys by their id) that signed it, if one did."""
        message = signed_message(self.payload)
        for key_id, public_key in trusted.items():
            if any(is_signed(public_key, message, one.value) for one in self.signatures):
                return key_id
        return None


def key_id(public_key: bytes) -> str:
    """Give the name of a publisher's key: the SHA-256 of its 32 bytes."""
    return hashlib.sha256(public_key).hexdigest()


def read_publishers(text: str) -> dict[str, bytes]:
    """Read a list of public keys, one a line, by their ids; raises ``KitFormatError``.

    What stands behind a number sign is for people.
    """
    found: dict[str, bytes] = {}
    for line in text.splitlines():
        written = line.partition("#")[0].strip()
        if not written:
            continue
        digits = written.removeprefix(KEY_PREFIX)
        try:
            key = bytes.fromhex(digits)
        except ValueError:
            key = b""
        if digits == written or len(digits) != _KEY_DIGITS or len(key) != _KEY_DIGITS // 2:
            message = f"{written[:80]!r} is not a publisher's public key"
            raise KitFormatError(message)
        found[key_id(key)] = key
    return found


def signed_message(payload: bytes) -> bytes:
    """Give what is signed: DSSE's encoding, which no other kind of message can have."""
    kind = PAYLOAD_TYPE.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def content_digest(files: Iterable[KitFile]) -> str:
    """Give the digest of what a kit installs, by which its release is known."""
    table = hashlib.sha256()
    for one in files:
        mode = "x" if one.executable else "-"
        table.update(f"{one.sha256} {one.size} {mode} {one.name}\n".encode())
    return table.hexdigest()


def envelope_for(payload: bytes, public_key: bytes, sign: Sign) -> bytes:
    """Give the beginning of a kit's file."""
    envelope = json.dumps(
        {
            "payloadType": PAYLOAD_TYPE,
            "payload": base64.b64encode(payload).decode(),
            "signatures": [
                {
                    "keyid": key_id(public_key),
                    "sig": base64.b64encode(sign(signed_message(payload))).decode(),
                }
            ],
        }
    ).encode()
    if len(envelope) > ENVELOPE_BYTES:
        message = f"its table takes {len(envelope)} bytes, and may take {ENVELOPE_BYTES}"
        raise KitFormatError(message)
    return HEAD.pack(MAGIC, len(envelope)) + envelope


def read_envelope(file: Reader) -> Envelope:
    """Read what is in front of the files; raises ``KitFormatError``. Believes none of it yet."""
    head = _exactly(file, HEAD.size, "its head")
    magic, length = HEAD.unpack(head)
    if magic != MAGIC:
        message = "it does not begin as a kit does"
        raise KitFormatError(message)
    if not 0 < length <= ENVELOPE_BYTES:
        message = f"its table takes {length} bytes, and may take {ENVELOPE_BYTES}"
        raise KitFormatError(message)
    text = _exactly(file, length, "its table")
    try:
        found = _Dsse.model_validate_json(text)
        payload = base64.b64decode(found.payload, validate=True)
        signatures = tuple(
            Signature(one.keyid, base64.b64decode(one.sig, validate=True))
            for one in found.signatures
        )
    except (ValidationError, binascii.Error) as error:
        message = "its table is not in an envelope that could be read"
        raise KitFormatError(message) from error
    if found.payloadType != PAYLOAD_TYPE:
        message = f"it says that it is {found.payloadType!r}, and not {PAYLOAD_TYPE}"
        raise KitFormatError(message)
    return Envelope(payload, signatures, HEAD.size + length)


def read_table(payload: bytes) -> KitTable:
    """Read the table of an envelope whose signature was checked; raises ``KitFormatError``."""
    try:
        table = KitTable.model_validate_json(payload)
    except ValidationError as error:
        message = "its table is not as this release reads one"
        raise KitFormatError(message) from error
    names = [one.name for one in table.files]
    if len(set(names)) < len(names) or table.size > MOST_BYTES:
        message = "its table has a name twice, or more than a kit can hold"
        raise KitFormatError(message)
    if content_digest(table.files) != table.release.digest:
        message = "its table has other files than its release names"
        raise KitFormatError(message)
    return table


def read_files(
    file: Reader, table: KitTable, begin: Callable[[KitFile], Callable[[bytes], object]]
) -> None:
    """Read every file behind the envelope, check each, and see that nothing follows.

    ``begin`` is called before each, and gives what takes its bytes as they come; they are worth
    nothing until this function has returned. Raises ``KitFormatError``, ``KitDigestError``.
    """
    for one in table.files:
        take = begin(one)
        seen = hashlib.sha256()
        for piece in _pieces(file, one):
            seen.update(piece)
            take(piece)
        if seen.hexdigest() != one.sha256:
            message = f"{one.name} in it is damaged: its bytes are not those that were signed"
            raise KitDigestError(message)
    if file.read(1):
        message = "it is longer than its table says"
        raise KitFormatError(message)


def _pieces(file: Reader, one: KitFile) -> Iterator[bytes]:
    left = one.size
    while left:
        piece = file.read(min(_PIECE, left))
        if not piece:
            message = f"it ends within {one.name}"
            raise KitFormatError(message)
        left -= len(piece)
        yield piece


def _exactly(file: Reader, length: int, what: str) -> bytes:
    found = bytearray()
    while len(found) < length:
        piece = file.read(length - len(found))
        if not piece:
            message = f"it ends within {what}"
            raise KitFormatError(message)
        found += piece
    return bytes(found)


class _DsseSignature(Part):
    keyid: Annotated[str, Field(max_length=256)] = ""
    sig: Annotated[str, Field(max_length=1024)]


class _Dsse(Part):
    payloadType: Annotated[str, Field(max_length=256)]  # noqa: N815 - DSSE's own words
    payload: str
    signatures: Annotated[tuple[_DsseSignature, ...], Field(min_length=1, max_length=16)]
