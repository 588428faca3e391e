"""What devices would be answered, kept where they can ask while the farm's database is away."""

from typing import Final
from uuid import UUID

from corral.wire.login import LoginAnswer
from corral.wire.message import Base64, Message, Name, Part, UnixSeconds

_DOMAIN: Final = b"corral logins v1\0"  # no signature for one purpose can be used for another


class KnownDevice(Part):
    """A device, how it is recognised, and what it starts from."""

    name: Name
    key_digest: Base64
    """SHA-256 of the device's key."""
    answer: LoginAnswer


class LoginSnapshot(Message):
    """Every device's login at one moment."""

    farm: UUID
    generation: int
    taken_at: UnixSeconds
    devices: tuple[KnownDevice, ...]
    certificate_authority: str = ""
    """The farm's root certificate in PEM: once, not in each answer."""


class SignedLogins(Message):
    """The answer to ``GET /v1/server/logins``, and the file in which it is kept.

    Readable by its owner only (0600), for it holds tickets.
    """

    snapshot: str
    """A :class:`LoginSnapshot` as JSON text, the very characters that are signed."""
    signature: Base64
    """The farm's Ed25519 signature of :func:`signed_message`."""


def signed_message(snapshot: str) -> bytes:
    """Give what the farm's key signs."""
    return _DOMAIN + snapshot.encode()
