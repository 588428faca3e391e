"""Take what a server says of itself."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from corral.farm.application.complete_deletions import complete_deletions
from corral.farm.application.finish_sealing import finish_sealing
from corral.farm.application.follow_devices import follow_devices
from corral.farm.application.let_go import let_go
from corral.farm.application.move_devices import advance_moves, balance_if_due
from corral.farm.application.note_holdings import note_holdings
from corral.farm.application.note_releases import note_releases
from corral.farm.application.observing import observes, observes_server
from corral.farm.application.shared_folders import note_for_sharers
from corral.farm.application.spread_versions import spread_versions
from corral.farm.domain.delivery.session import Session
from corral.farm.domain.estate.server import LastReport, RefusedExport, ServerId
from corral.farm.domain.image.overlay import OverlayCondition, SeenOverlay
from corral.farm.domain.image.replica import ReplicaState

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from corral.farm.application.note_holdings import Holdings
    from corral.farm.application.ports.farm_key import FarmKey, SignatureCheck
    from corral.farm.application.ports.records import Records, Transactions
    from corral.farm.application.ports.sources import Clock
    from corral.farm.domain.delivery.device import DeviceId
    from corral.farm.domain.estate.releases import SeenReleases
    from corral.farm.domain.estate.scrub import SeenScrub
    from corral.farm.domain.image.overlay import Overlay, OverlayId
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
    sealing_done_bytes: int = 0
    sealing_total_bytes: int = 0


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
    certificate_ends_at: datetime | None = None
    requires_tls: bool = False
    chunks_require_tls: bool = False
    scrub: SeenScrub | None = None
    refused: tuple[RefusedExport, ...] = ()
    release: str = ""
    refusal: str = ""
    releases: SeenReleases | None = None
    holdings: Holdings | None = None
    """Said by a server while the farm observes it."""


class TakeServerReport:
    """Remembers a report; a replica that became complete, or no longer is, is news to servers."""

    def __init__(
        self,
        transactions: Transactions,
        key: FarmKey,
        is_signed: SignatureCheck,
        clock: Clock,
        release: str,
    ) -> None:
        self._transactions = transactions
        self._key = key
        self._is_signed = is_signed
        self._clock = clock
        self._release = release

    def __call__(self, server_id: ServerId, report: ServerReport) -> None:
        """Take the report. What it says of replicas that the farm does not want is left aside.

        So is, until it has learned better, all that a server says of its store without knowing what
        the farm knows by now: that a root is published again, say, which it says it has removed.
        While the farm observes, nothing is done for what is said but to remember it.
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
                    report.certificate_ends_at,
                    report.requires_tls,
                    report.scrub,
                    report.refused,
                    report.chunks_require_tls,
                    report.release,
                    report.refusal,
                    report.releases,
                    report.generation,
                ),
            )
            follow_devices(records, server_id, _sessions(server_id, report), now)
            if report.holdings is not None:
                note_holdings(records, server_id, report.holdings, self._is_signed, now)
            _count_above(records, report.generation)
            is_observed = observes_server(records, server_id)
            for overlay in report.overlays:
                known = _note_overlay(records, server_id, overlay, now)
                if known is not None and not is_observed:
                    finish_sealing(records, *known, self._key, now, self._release)
            if not observes(records):
                advance_moves(records, now)
                balance_if_due(records, now)
            if report.generation < records.farm.get().generation:
                return
            for reported in report.replicas:
                _note(records, server_id, reported, now)
            if is_observed:
                return
            _note_lost_overlays(records, server_id, report, now)
            for root in report.removed:
                _note_removed(records, server_id, root, now)
            let_go(records, records.servers.with_id(server_id), now)


def _count_above(records: Records, generation: int) -> None:
    """Count on above what a server follows.

    Only a farm that was restored has counted less far than somebody has heard; a server refuses
    what seems older than what it has.
    """
    if generation > records.farm.get().generation and records.restorations.find() is not None:
        records.farm.raise_generation_to(generation)


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
        bytes_per_second=known.pace_with(reported.done_bytes, now),
    )
    if after.is_complete and after.completed_at is None:
        after = replace(after, completed_at=now)
    if known.is_complete and not after.is_complete:
        # What was due until now is released, and stays so.
        note_releases(records, records.versions.with_root(after.root), now)
    records.replicas.put(after)
    if after.is_complete and not known.is_complete:
        note_for_sharers(records, after)
    if after.is_complete != known.is_complete or after.doubt != known.doubt:
        records.farm.raise_generation()
        note_releases(records, records.versions.with_root(after.root), now)


def _note_overlay(
    records: Records, server_id: ServerId, reported: ReportedOverlay, now: datetime
) -> tuple[Overlay, SeenOverlay] | None:
    """Remember how it is. One that was given up in the meantime is none of the farm's any more."""
    known = records.overlays.find(reported.id)
    if known is None or known.server_id != server_id:
        return None
    seen = SeenOverlay(
        at=now,
        condition=reported.condition,
        written_bytes=reported.written_bytes,
        allocated_bytes=reported.allocated_bytes,
        clients=reported.clients,
        problem=reported.problem,
        sealed_root=reported.sealed_root,
        sealed_bytes=reported.sealed_bytes,
        sealing_done_bytes=reported.sealing_done_bytes,
        sealing_total_bytes=reported.sealing_total_bytes,
    )
    records.overlays.set_seen(known.id, seen)
    return known, seen


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


def _note_removed(records: Records, server_id: ServerId, root: RootHash, now: datetime) -> None:
    known = records.replicas.find(server_id, root)
    if known is None or not known.is_removing:
        return
    records.replicas.remove(server_id, root)
    complete_deletions(records, root)
    # More copies may have been asked for while this one was on its way out.
    spread_versions(records, now, (root,))
    records.farm.raise_generation()
