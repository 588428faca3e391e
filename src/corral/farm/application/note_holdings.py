"""Note what a server says that it holds, after the farm was restored."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from corral.farm.application.look_at_restored import remembered, seen_server
from corral.farm.domain.backup.adoption import Adoption, plan_adoption
from corral.farm.domain.backup.observation import Observation
from corral.farm.domain.image.replica import Replica, ReplicaState

if TYPE_CHECKING:
    from datetime import datetime

    from corral.farm.application.ports.farm_key import SignatureCheck
    from corral.farm.application.ports.records import Records
    from corral.farm.domain.backup.observation import HeldOverlay, HeldVersion
    from corral.farm.domain.estate.server import ServerId


@dataclass(frozen=True)
class Holdings:
    """What a server holds by what it was told before the farm was restored."""

    generation: int
    versions: tuple[HeldVersion, ...] = ()
    overlays: tuple[HeldOverlay, ...] = ()


def note_holdings(
    records: Records, server_id: ServerId, said: Holdings, is_signed: SignatureCheck, now: datetime
) -> None:
    """Remember it. If the records have it all, and the restored farm was accepted, that is that.

    A version that the farm has not signed was published by nobody, and is left aside.
    """
    restoration = records.restorations.find()
    before = records.observations.find(server_id)
    if restoration is None or (before is not None and before.settled_at is not None):
        return
    seen = Observation(server_id, now, said.generation, said.versions, said.overlays)
    # A server that has lost what it was told still has it in its store.
    is_less = before is not None and seen.generation < before.generation
    if before is None or not (is_less or seen.says_the_same_as(before)):
        key = records.farm.get().public_key
        signed = tuple(
            one for one in said.versions if is_signed(key, one.root.signed_message(), one.signature)
        )
        before = replace(seen, versions=signed)
        records.observations.put(before)
        for held in signed:
            _note_copy(records, server_id, held, now)
    if restoration.accepted_at is None:
        return
    server = seen_server(records, records.servers.with_id(server_id))
    if plan_adoption(remembered(records, restoration), (server,)) == Adoption():
        records.observations.put(before.settled(now))
        records.farm.raise_generation()


def _note_copy(records: Records, server_id: ServerId, held: HeldVersion, now: datetime) -> None:
    """Know who has what no version has, so that devices that run it are sent there meanwhile."""
    if records.versions.with_root(held.root) or records.replicas.find(server_id, held.root):
        return
    records.replicas.put(replica_of(server_id, held, now))


def replica_of(server_id: ServerId, held: HeldVersion, now: datetime) -> Replica:
    """Give what the records say of a copy that a server holds.

    Nobody knows any more whether somebody had asked for it there: no policy takes it away.
    """
    return Replica(
        server_id=server_id,
        root=held.root,
        wanted_at=now,
        state=ReplicaState.COMPLETE if held.is_complete else ReplicaState.FETCHING,
        done_bytes=held.size_bytes if held.is_complete else 0,
        total_bytes=held.size_bytes,
        reported_at=now,
        completed_at=now if held.is_complete or held.is_offered else None,
        by_hand=True,
    )
