"""Take what a server says of itself."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from corral.farm.application.complete_deletions import complete_deletions
from corral.farm.application.finish_sealing import finish_sealing
from corral.farm.application.follow_devices import follow_devices
from corral.farm.application.move_devices import advance_moves, balance_if_due
from corral.farm.application.note_releases import note_releases
from corral.farm.application.shared_folders import note_for_sharers
from corral.farm.domain.delivery.session import Session
from corral.farm.domain.estate.server import LastReport, ServerId
from corral.farm.domain.image.overlay import OverlayCondition, SeenOverlay
from corral.farm.domain.image.replica import ReplicaState

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from corral.farm.application.ports.farm_key import FarmKey
    from corral.farm.application.ports.records import Records, Transactions
    from corral.farm.application.ports.sources import Clock
    from corral.farm.domain.delivery.device import DeviceId
    from corral.farm.domain.image.overlay import OverlayId
    from corral.farm.domain.image.root import RootHash


@dataclass(frozen=True)
class ReportedReplica:
    """How far a server is with one replica."""

    root: RootHash
    state: ReplicaState
    done_bytes: int
    total_bytes: int
    fetched_bytes: int = 0
    problem: str = ""
    healed_doubt: int = 0
    """The highest doubt after which the server looked at the bytes and left no damage."""


@dataclass(frozen=True)
class ReportedSession:
    """A connection to the server."""

    device_id: DeviceId | None
    export: str
    address: str
    connected_at: datetime
    sent_bytes: int


@dataclass(frozen=True)
class ReportedOverlay:
    """How something is that a device writes to."""

    id: OverlayId
    condition: OverlayCondition
    written_bytes: int = 0
    allocated_bytes: int = 0
    clients: int = 0
    problem: str = ""
    sealed_root: RootHash | None = None
    sealed_bytes: int | None = None


@dataclass(frozen=True)
class ServerReport:
    """All that a server says at one time; whatever it does not name is over."""

    generation: int
    """Of the configuration that the server follows."""
    replicas: tuple[ReportedReplica, ...] = ()
    removed: tuple[RootHash, ...] = ()
    """What it was told to forget, and has forgotten."""
    sessions: tuple[ReportedSession, ...] = ()
    overlays: tuple[ReportedOverlay, ...] = ()
    counters: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    free_bytes: int | None = None
    sent_at: datetime | None = None
    """By the server's own clock."""


class TakeServerReport:
    """Remembers a report; a replica that became complete, or no longer is, is news to servers."""

    def __init__(self, transactions: Transactions, key: FarmKey, clock: Clock) -> None:
        self._transactions = transactions
        self._key = key
        self._clock = clock

    def __call__(self, server_id: ServerId, report: ServerReport) -> None:
        """Take the report. What it says of replicas that the farm does not want is left aside.

        So is, until it has learned better, all that a server says of its store without knowing what
        the farm knows by now: that a root is published again, say, which it says it has removed.
        """
        now = self._clock.now()
        with self._transactions.writing() as records:
            records.servers.set_report(
                server_id,
                LastReport(
                    now,
                    len(report.sessions),
                    report.free_bytes,
                    report.counters,
                    None if report.sent_at is None else report.sent_at - now,
                ),
            )
            follow_devices(records, server_id, _sessions(server_id, report), now)
            for overlay in report.overlays:
                _note_overlay(records, server_id, overlay, self._key, now)
            advance_moves(records, now)
            balance_if_due(records, now)
            if report.generation < records.farm.get().generation:
                return
            _note_lost_overlays(records, server_id, report, now)
            for reported in report.replicas:
                _note(records, server_id, reported, now)
            for root in report.removed:
                _note_removed(records, server_id, root)


def _sessions(server_id: ServerId, report: ServerReport) -> list[Session]:
    return [
        Session(
            server_id=server_id,
            device_id=session.device_id,
            export=session.export,
            address=session.address,
            connected_at=session.connected_at,
            sent_bytes=session.sent_bytes,
        )
        for session in report.sessions
    ]


def _note(records: Records, server_id: ServerId, reported: ReportedReplica, now: datetime) -> None:
    known = records.replicas.find(server_id, reported.root)
    if known is None or known.is_removing or reported.state is ReplicaState.REMOVING:
        return
    doubt = known.doubt
    if reported.state is ReplicaState.COMPLETE and reported.healed_doubt >= doubt:
        doubt = 0
    after = replace(
        known,
        state=ReplicaState.DAMAGED if doubt else reported.state,
        done_bytes=reported.done_bytes,
        total_bytes=reported.total_bytes,
        fetched_bytes=reported.fetched_bytes,
        problem=reported.problem or (known.problem if doubt else ""),
        reported_at=now,
        doubt=doubt,
    )
    if after.is_complete and after.completed_at is None:
        after = replace(after, completed_at=now)
    records.replicas.put(after)
    if after.is_complete and not known.is_complete:
        note_for_sharers(records, after)
    if after.is_complete != known.is_complete or after.doubt != known.doubt:
        records.farm.raise_generation()
        note_releases(records, records.versions.with_root(after.root), now)


def _note_overlay(
    records: Records, server_id: ServerId, reported: ReportedOverlay, key: FarmKey, now: datetime
) -> None:
    """Remember how it is. One that was given up in the meantime is none of the farm's any more."""
    known = records.overlays.find(reported.id)
    if known is None or known.server_id != server_id:
        return
    seen = SeenOverlay(
        at=now,
        condition=reported.condition,
        written_bytes=reported.written_bytes,
        allocated_bytes=reported.allocated_bytes,
        clients=reported.clients,
        problem=reported.problem,
        sealed_root=reported.sealed_root,
        sealed_bytes=reported.sealed_bytes,
    )
    records.overlays.set_seen(known.id, seen)
    finish_sealing(records, known, seen, key, now)


def _note_lost_overlays(
    records: Records, server_id: ServerId, report: ServerReport, now: datetime
) -> None:
    """Say of what a server had, and no longer names, that it is lost."""
    named = {overlay.id for overlay in report.overlays}
    for known in records.overlays.of_server(server_id):
        if known.seen is not None and known.id not in named:
            problem = "its server has it no more"
            lost = replace(known.seen, at=now, condition=OverlayCondition.FAILED, problem=problem)
            records.overlays.set_seen(known.id, replace(lost, clients=0))


def _note_removed(records: Records, server_id: ServerId, root: RootHash) -> None:
    known = records.replicas.find(server_id, root)
    if known is None or not known.is_removing:
        return
    records.replicas.remove(server_id, root)
    complete_deletions(records, root)
    records.farm.raise_generation()
