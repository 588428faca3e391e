"""What one server of a shared folder has, the others have without a copy."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from corral.farm.application.ports.records import Records
    from corral.farm.domain.estate.server import Server, ServerId
    from corral.farm.domain.image.replica import Replica


def sharers(records: Records, server_id: ServerId) -> Sequence[Server]:
    """Give the other servers that keep their chunks in the same folder."""
    folder = records.servers.with_id(server_id).store
    return [
        other
        for other in records.servers.all()
        if other.id != server_id and other.store.id == folder.id
    ]


def replicas_in_folder(records: Records, server: Server) -> Iterator[Replica]:
    """Give the replicas whose chunks are in the server's folder: its own, and those of others."""
    for keeper in (server, *sharers(records, server.id)):
        yield from records.replicas.of_server(keeper.id)


def note_for_sharers(records: Records, complete: Replica) -> None:
    """Remember of all servers of a folder what was just seen to be complete in it.

    What one of them was told to forget, or has damage of, is for its own report to settle.
    """
    for other in sharers(records, complete.server_id):
        known = records.replicas.find(other.id, complete.root)
        if known is None or not (known.is_complete or known.is_removing or known.doubt):
            records.replicas.put(
                replace(
                    complete,
                    server_id=other.id,
                    fetched_bytes=0,
                    doubt=0,
                    problem="",
                    by_hand=known is not None and known.by_hand,
                )
            )
