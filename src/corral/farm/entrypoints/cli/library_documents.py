"""The JSON that commands of the library and of kits print."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from corral.farm.domain.library.kit import written_public_key

if TYPE_CHECKING:
    from collections.abc import Sequence

    from corral.farm.application.list_library import Folder, ItemView
    from corral.farm.application.ports.library import KitLook
    from corral.farm.domain.library.kit import Kit, Publisher
    from corral.farm.entrypoints.cli.output import Json


def item(of: ItemView) -> dict[str, Json]:
    """Show one thing of the library."""
    known = of.item
    return {
        "id": str(known.id),
        "name": known.name,
        "kind": known.kind.value,
        "state": known.state.value,
        "path": str(known.path),
        "size_bytes": known.size_bytes,
        "begun_at": known.begun_at.isoformat(),
        "available_at": None if known.available_at is None else known.available_at.isoformat(),
        "by": known.by,
        "problem": known.problem,
        "publisher": None if of.publisher is None else of.publisher.name,
        "fingerprint": known.publisher,
        "version": None if known.version is None else str(known.version),
        "root": None if known.root is None else known.root.hex,
        "kit": None if known.kit is None else kit(known.kit),
        "replicas": [
            {
                "server": server,
                "state": one.state.value,
                "done_bytes": one.done_bytes,
                "total_bytes": one.total_bytes,
            }
            for server, one in of.replicas
        ],
    }


def kit(of: Kit) -> dict[str, Json]:
    """Show what a kit's publisher signed."""
    said: dict[str, Json] = json.loads(of.text)
    return said


def looked(of: KitLook) -> dict[str, Json]:
    """Show what can be said of a kit's file."""
    return {
        "kit": kit(of.kit),
        "name": of.kit.name,
        "size_bytes": of.size_bytes,
        "signed_by": list(of.signed_by),
        "trusted": of.publisher is not None,
    }


def folder(of: Folder) -> dict[str, Json]:
    """Show what the import folder offers."""
    return {
        "folder": str(of.folder),
        "kind": of.kind.value,
        "revision": of.rules.revision,
        "files": [
            {
                "name": one.path.name,
                "path": str(one.path),
                "size_bytes": one.size_bytes,
                "changed_at": one.changed_at.isoformat(),
                "item": one.name,
                "offered": one.is_offered,
                "code": one.code,
                "why_not": one.why_not,
            }
            for one in of.files
        ],
    }


def publisher(of: Publisher) -> dict[str, Json]:
    """Show whose kits are believed."""
    return {
        "id": str(of.id),
        "name": of.name,
        "public_key": written_public_key(of.public_key),
        "fingerprint": of.fingerprint,
        "added_at": of.added_at.isoformat(),
    }


def publishers(of: Sequence[Publisher]) -> list[Json]:
    """Show all of them."""
    return [publisher(one) for one in of]
