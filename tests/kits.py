"""Kits to try things with, and the publishers who sign them."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from corral.farm.domain.library.kit import KeyId
from corral.wire import kit as wire

ENGINE: Final[Mapping[str, Any]] = {
    "format": 1,
    "component": "engine",
    "release": "5.0",
    "released_on": "2026-11-30",
    "document": "1",
    "runs_image_formats": [1, 2],
}


class Signer:
    """Somebody who publishes kits."""

    def __init__(self, number: int = 1) -> None:
        self.key = Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32)

    @property
    def public_key(self) -> bytes:
        return self.key.public_key().public_bytes_raw()

    @property
    def trusted(self) -> dict[KeyId, bytes]:
        return {KeyId(wire.key_id(self.public_key)): self.public_key}


FILES: Final = {"corral_engine-5.0-py3-none-any.whl": b"wheel" * 40_000, "install": b"#!/bin/sh\n"}


def table(
    files: Mapping[str, bytes] = FILES,
    release: Mapping[str, Any] = ENGINE,
    **changes: object,
) -> dict[str, Any]:
    """Give the table of a kit as JSON has it."""
    entries = [
        wire.KitFile(
            name=name,
            size=len(content),
            sha256=hashlib.sha256(content).hexdigest(),
            executable=name == "install",
        )
        for name, content in files.items()
    ]
    return {
        "format": 1,
        "release": {**release, "digest": wire.content_digest(entries)},
        "files": [one.model_dump() for one in entries],
        **changes,
    }


def kit(
    files: Mapping[str, bytes] = FILES,
    release: Mapping[str, Any] = ENGINE,
    signer: Signer | None = None,
    **changes: object,
) -> bytes:
    """Give a kit's file."""
    by = signer or Signer()
    payload = json.dumps(table(files, release, **changes)).encode()
    return wire.envelope_for(payload, by.public_key, by.key.sign) + b"".join(files.values())
