"""Stream processes ask what they should do, and say what they do."""

import base64
import hashlib
from datetime import UTC, datetime
from http import HTTPStatus
from types import MappingProxyType
from typing import Annotated

from fastapi import APIRouter, Header, Query, Response
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from corral.farm.application.configure_server import ServerConfiguration
from corral.farm.application.take_server_report import (
    ReportedOverlay,
    ReportedReplica,
    ReportedSession,
    ServerReport,
)
from corral.farm.domain.access.token import TokenDigest
from corral.farm.domain.delivery.device import DeviceId
from corral.farm.domain.estate.server import RefusedExport
from corral.farm.domain.image.overlay import OverlayCondition, OverlayId
from corral.farm.domain.image.replica import ReplicaState
from corral.farm.domain.image.root import RootHash
from corral.farm.entrypoints.http.application import Application
from corral.farm.entrypoints.http.bearer import Bearer
from corral.farm.entrypoints.http.holdings import seen_holdings
from corral.farm.entrypoints.http.logins import Logins
from corral.farm.entrypoints.http.permitted import OpenTo, open_to
from corral.farm.entrypoints.http.scrubs import seen_scrub
from corral.farm.entrypoints.http.server_releases import order_message, seen_releases
from corral.wire import overlay as wire_overlay
from corral.wire import server as wire
from corral.wire.logins import SignedLogins

_NOT_MODIFIED = 304


def routes(application: Application, logins: Logins | None, reader: TokenDigest) -> APIRouter:
    """Give the routes; ``logins`` are what servers keep for the time without a database.

    ``reader`` is the digest of the key that opens their metrics.
    """
    router = APIRouter(
        prefix="/v1/server", tags=["servers"], dependencies=[open_to(OpenTo.SERVERS)]
    )

    @router.get(
        "/configuration",
        operation_id="configure_server",
        response_model=wire.ServerConfiguration,
        responses={_NOT_MODIFIED: {"description": "It is what ``If-None-Match`` names."}},
    )
    def configuration(
        token: Bearer,
        *,
        observes: Annotated[
            bool, Query(description="It keeps what it has while the farm observes.")
        ] = False,
        if_none_match: Annotated[str | None, Header()] = None,
    ) -> Response:
        """Say what the server of this token should do, unless it has exactly that already."""
        server = application.recognise_server(token)
        wanted = application.configure_server(server, can_observe=observes)
        body = _configuration(wanted, reader).model_dump_json().encode()
        tag = f'"{hashlib.sha256(body).hexdigest()}"'
        headers = {"ETag": tag}
        if _is_named(tag, if_none_match):
            return Response(status_code=_NOT_MODIFIED, headers=headers)
        return Response(body, headers=headers, media_type=JSONResponse.media_type)

    @router.get(
        "/logins",
        operation_id="snapshot_logins",
        response_model=SignedLogins,
        responses={_NOT_MODIFIED: {"description": "It is what ``If-None-Match`` names."}},
    )
    def snapshot(token: Bearer, if_none_match: Annotated[str | None, Header()] = None) -> Response:
        """Say what each device would be answered now, for a server to answer from on its own."""
        application.recognise_server(token)
        if logins is None:
            raise HTTPException(HTTPStatus.NOT_FOUND, "this process takes no snapshots of logins")
        taken = logins.current()
        headers = {"ETag": taken.tag}
        if _is_named(taken.tag, if_none_match):
            return Response(status_code=_NOT_MODIFIED, headers=headers)
        return Response(taken.body, headers=headers, media_type=JSONResponse.media_type)

    @router.post("/report", operation_id="take_server_report")
    def report(token: Bearer, message: wire.ServerReport) -> wire.ReportAccepted:
        """Take what a server says of itself; whatever it does not name is over."""
        server = application.recognise_server(token)
        application.take_server_report(server, _report(message))
        application.mirror_to_relay(server)
        return wire.ReportAccepted(generation=application.show_farm().farm.generation)

    @router.post("/certificate", operation_id="certify_server")
    def certify(token: Bearer, message: wire.CertificateRequest) -> wire.ServerCertificate:
        """Make a certificate for the server of this token and a key of its own."""
        server = application.recognise_server(token)
        made = application.certify_server(server, message.public_key)
        return wire.ServerCertificate(
            certificate=made.text, hosts=made.hosts, ends_at=int(made.ends_at.timestamp())
        )

    return router


def _is_named(tag: str, if_none_match: str | None) -> bool:
    return if_none_match is not None and tag in (one.strip() for one in if_none_match.split(","))


def _configuration(wanted: ServerConfiguration, reader: TokenDigest) -> wire.ServerConfiguration:
    restored_at = wanted.restored_at
    return wire.ServerConfiguration(
        farm=wanted.farm.id,
        generation=wanted.generation,
        restored_at=None if restored_at is None else int(restored_at.timestamp()),
        observes=wanted.observes,
        farm_public_key=_base64(wanted.farm.public_key),
        server=wanted.server.name,
        api_urls=wanted.farm.api_urls,
        exports=tuple(
            wire.Export(
                name=str(export.name),
                root=export.root.hex,
                signature=_base64(export.signature),
                standing=export.standing.value,
            )
            for export in wanted.exports
        ),
        replicas=tuple(
            wire.Replica(
                root=replica.root.hex,
                export=str(replica.name),
                signature=_base64(replica.signature),
                size_bytes=replica.size_bytes,
                doubt=replica.doubt,
                standing=replica.standing.value,
                content=replica.content.value,
                peers=tuple(wire.Peer(server=peer.server, url=peer.url) for peer in replica.peers),
            )
            for replica in wanted.replicas
        ),
        replication_ticket=wanted.replication_ticket,
        draining=wanted.server.draining,
        replication_rate=wanted.replication_rate,
        reader_digest=_base64(reader.value),
        management=None if wanted.server.management is None else str(wanted.server.management),
        removals=tuple(root.hex for root in wanted.removals),
        overlays=tuple(
            wire_overlay.Overlay(
                id=one.overlay.id,
                export=one.export,
                base=one.overlay.base.hex,
                subject=one.overlay.device_id,
                kind=wire_overlay.OverlayKind(one.overlay.kind.value),
                limit_bytes=one.overlay.limit_bytes,
                created_at=int(one.overlay.created_at.timestamp()),
                sealing=one.is_sealing,
            )
            for one in wanted.overlays
        ),
        certificate_hosts=wanted.certificate_hosts,
        certificate_authority=wanted.certificate_authority,
        scrub=wire.Scrubbing(
            rate=wanted.scrub.rate,
            every_seconds=round(wanted.scrub.every.total_seconds()),
            peers=tuple(wire.Peer(server=peer.server, url=peer.url) for peer in wanted.others),
        ),
        moves=tuple(wire.Move(device=one.device_id, to=(one.target,)) for one in wanted.moves),
        release=wanted.release,
        relay=wanted.server.relay,
        order=None if wanted.order is None else order_message(wanted.order),
    )


def _report(message: wire.ServerReport) -> ServerReport:
    return ServerReport(
        generation=message.generation,
        removed=tuple(map(RootHash, message.removed)),
        replicas=tuple(
            ReportedReplica(
                root=RootHash(replica.root),
                state=ReplicaState(replica.state.value),
                done_bytes=replica.done_bytes,
                total_bytes=replica.total_bytes,
                fetched_bytes=replica.fetched_bytes,
                problem=replica.problem,
                healed_doubt=replica.healed_doubt,
            )
            for replica in message.replicas
        ),
        sessions=tuple(
            ReportedSession(
                device_id=None if session.subject is None else DeviceId(session.subject),
                export=session.export,
                address=session.address,
                connected_at=datetime.fromtimestamp(session.connected_at, UTC),
                sent_bytes=session.sent_bytes,
            )
            for session in message.sessions
        ),
        overlays=tuple(map(_overlay, message.overlays)),
        counters=MappingProxyType(message.counters),
        free_bytes=message.store_free_bytes,
        sent_at=_instant(message.sent_at),
        certificate_ends_at=_instant(message.certificate_ends_at),
        requires_tls=message.requires_tls,
        chunks_require_tls=message.chunks_require_tls,
        scrub=None if message.scrub is None else seen_scrub(message.scrub),
        refused=tuple(RefusedExport(one.name, one.code, one.detail) for one in message.refused),
        release=message.release,
        refusal=message.refusal,
        releases=None if message.releases is None else seen_releases(message.releases),
        holdings=None if message.holds is None else seen_holdings(message.holds),
    )


def _instant(seconds: float | None) -> datetime | None:
    """Read a server's clock, however wrong it is."""
    if seconds is None:
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        return None


def _overlay(message: wire_overlay.OverlayReport) -> ReportedOverlay:
    return ReportedOverlay(
        id=OverlayId(message.id),
        condition=OverlayCondition(message.state.value),
        written_bytes=message.written_bytes,
        allocated_bytes=message.allocated_bytes,
        clients=message.clients,
        problem=message.problem,
        sealed_root=None if message.sealed_root is None else RootHash(message.sealed_root),
        sealed_bytes=message.sealed_size_bytes,
        sealing_done_bytes=message.sealing_done_bytes,
        sealing_total_bytes=message.sealing_total_bytes,
    )


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode("ascii")
