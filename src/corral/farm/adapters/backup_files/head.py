"""The head of a backup's file: what can be read of it without its key."""

from __future__ import annotations

import base64
import json
import struct
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final
from uuid import UUID

from corral.farm.domain.backup.backup import BackupFacts, BackupId
from corral.farm.domain.backup.errors import BackupDamagedError, BackupNewerError
from corral.farm.domain.estate.farm import FarmId, FarmName

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

FORMAT: Final = 1
HEAD_BYTES: Final = 4096
_MAGIC: Final = b"corral backup\n"
# Magic, format, length of the JSON document that follows.
_BEGINNING: Final = struct.Struct(f"<{len(_MAGIC)}sHI")
_SIGNATURE_DOMAIN: Final = b"corral backup v1\0"


@dataclass(frozen=True)
class Head:
    """Everything in it."""

    facts: BackupFacts
    payload_bytes: int
    """Length of what follows it."""
    payload_sha256: str
    signature: bytes = b""
    """By the farm's key."""

    def signed_message(self) -> bytes:
        """Give what the farm signs."""
        return _SIGNATURE_DOMAIN + _text(self._signed())

    def encoded(self) -> bytes:
        """Give its bytes, of one length for all."""
        signature = base64.b64encode(self.signature).decode("ascii")
        document = _text({**self._signed(), "signature": signature})
        beginning = _BEGINNING.pack(_MAGIC, FORMAT, len(document))
        return (beginning + document).ljust(HEAD_BYTES, b"\0")

    @classmethod
    def decoded(cls, path: Path, content: bytes) -> Head:
        """Read it; raises ``BackupDamagedError`` and ``BackupNewerError``."""
        if len(content) < HEAD_BYTES or not content.startswith(_MAGIC):
            reason = "it does not begin as a backup of Corral does"
            raise BackupDamagedError(path, reason)
        _, number, length = _BEGINNING.unpack_from(content)
        if number != FORMAT:
            raise BackupNewerError(path, f"format {number} where this one reads {FORMAT}")
        document, padding = content[_BEGINNING.size :][:length], content[_BEGINNING.size + length :]
        reason = "its head was changed"
        if any(padding) or _BEGINNING.size + length > HEAD_BYTES:
            raise BackupDamagedError(path, reason)
        try:
            said = json.loads(document)
            head = cls(
                facts=facts_from(said["backup"]),
                payload_bytes=int(said["payload"]["bytes"]),
                payload_sha256=str(said["payload"]["sha256"]),
                signature=base64.b64decode(said["signature"], validate=True),
            )
        except (ValueError, KeyError, TypeError, AttributeError):
            raise BackupDamagedError(path, reason) from None
        if head.encoded() != content:
            raise BackupDamagedError(path, reason)
        return head

    def _signed(self) -> dict[str, Any]:
        return {
            "backup": facts_document(self.facts),
            "payload": {"bytes": self.payload_bytes, "sha256": self.payload_sha256},
        }


def facts_document(facts: BackupFacts) -> dict[str, Any]:
    """Give the facts as JSON has them."""
    document = {
        "id": str(facts.id),
        "farm": str(facts.farm),
        "farm_name": facts.farm_name,
        "farm_public_key": base64.b64encode(facts.public_key).decode("ascii"),
        "taken_at": facts.taken_at.astimezone(UTC).isoformat(),
        "by": facts.by,
        "release": facts.release,
        "schema": facts.schema,
        "has_chunks": facts.has_chunks,
    }
    if facts.readable_from is not None:
        document["readable_from"] = facts.readable_from
    return document


def facts_from(said: dict[str, Any]) -> BackupFacts:
    """Read them; raises ``ValueError``, ``KeyError``, ``TypeError``."""
    return BackupFacts(
        id=BackupId(UUID(said["id"])),
        farm=FarmId(UUID(said["farm"])),
        farm_name=FarmName(str(said["farm_name"])),
        public_key=base64.b64decode(said["farm_public_key"], validate=True),
        taken_at=datetime.fromisoformat(said["taken_at"]),
        by=str(said["by"]),
        release=str(said["release"]),
        schema=str(said["schema"]),
        has_chunks=bool(said["has_chunks"]),
        readable_from=str(said["readable_from"]) if "readable_from" in said else None,
    )


def facts_member(facts: BackupFacts) -> bytes:
    """Give the facts as the archive repeats them, where nobody can change them unseen."""
    return _text(facts_document(facts))


def _text(document: dict[str, Any]) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
