"""The JSON that commands print. Fields are added, never renamed: programs read them."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from corral.farm.entrypoints.cli import scrub_documents
from corral.farm.entrypoints.cli.server_releases import releases_document

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from corral.farm.application.certify import Certificates
    from corral.farm.application.collect_store import CollectionReport
    from corral.farm.application.delete_version import Deletion
    from corral.farm.application.heal_store import HealingReport
    from corral.farm.application.import_image import ImportOutcome
    from corral.farm.application.list_devices import DeviceView
    from corral.farm.application.list_images import ImageView, ReplicaView, VersionView
    from corral.farm.application.list_servers import ServerView
    from corral.farm.application.list_tasks import TaskView
    from corral.farm.application.log_device_in import LoginAnswer
    from corral.farm.application.republish_images import Republished, ToRepublish
    from corral.farm.application.show_farm import FarmSummary
    from corral.farm.application.show_status import FarmStatus, SessionView
    from corral.farm.application.verify_store import StoreReport
    from corral.farm.application.verify_version import VersionVerification
    from corral.farm.application.writers import OverlayView
    from corral.farm.domain.estate.farm import Farm
    from corral.farm.domain.estate.server import Server
    from corral.farm.domain.image.change import VersionChange
    from corral.farm.domain.image.release import ReleaseWait
    from corral.farm.domain.image.version import Version, VersionName
    from corral.farm.domain.image.write_cache import CacheSetting
    from corral.farm.entrypoints.cli.output import Json


def instant(moment: datetime | None) -> str | None:
    """Give a moment as programs read it."""
    return None if moment is None else moment.isoformat()


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode("ascii")


def farm(of: Farm) -> dict[str, Json]:
    """Show the farm's own facts."""
    return {
        "id": str(of.id),
        "name": of.name,
        "public_key": _base64(of.public_key),
        "api_urls": list(of.api_urls),
        "former_api_urls": list(of.former_api_urls),
        "created_at": instant(of.created_at),
        "generation": of.generation,
        "revision": of.revision,
    }


def farm_summary(summary: FarmSummary) -> dict[str, Json]:
    """Show the farm and how much of everything it has."""
    return {
        **farm(summary.farm),
        "servers": summary.servers,
        "images": summary.images,
        "devices": summary.devices,
    }


def server(of: Server) -> dict[str, Json]:
    """Show what was configured for a server."""
    return {
        "id": str(of.id),
        "name": of.name,
        "store": str(of.store.path),
        "store_id": str(of.store.id),
        "listen": [str(address) for address in of.listen],
        "advertised": [str(address) for address in of.advertised],
        "chunks": str(of.chunks_listen),
        "chunk_url": of.chunk_url,
        "draining": of.draining,
        "maintenance": of.maintenance,
        "relay": of.relay,
        "description": of.description,
        "management": None if of.management is None else str(of.management),
        "power_rating": float(of.power_rating),
        "max_devices": of.max_devices,
        "max_devices_booting": of.max_devices_booting,
        "subnets": [str(subnet) for subnet in of.subnets],
        "revision": of.revision,
        "added_at": instant(of.added_at),
    }


def server_view(view: ServerView) -> dict[str, Json]:
    """Show a server, its state and what it holds."""
    report = view.server.last_report
    return {
        **server(view.server),
        "site": view.site.name,
        "in_store": view.store.name,
        "state": view.state.value,
        "reported_at": None if report is None else instant(report.at),
        "release": "" if report is None else report.release,
        "refusal": view.server.refusal,
        "releases": releases_document(None if report is None else report.releases),
        "sessions": None if report is None else report.session_count,
        "free_bytes": None if report is None else report.free_bytes,
        "counters": {} if report is None else dict(report.counters),
        "scrub": (
            None
            if report is None or report.scrub is None
            else scrub_documents.seen_scrub(report.scrub)
        ),
        "replicas": [
            {
                "version": str(held.name),
                "root": held.replica.root.hex,
                "state": held.replica.state.value,
            }
            for held in view.held
        ],
    }


def version(of: Version) -> dict[str, Json]:
    """Show a version."""
    return {
        "version": str(of.name),
        "image": of.name.image,
        "number": of.number,
        "root": of.root.hex,
        "size_bytes": of.size_bytes,
        "signature": _base64(of.signature),
        "description": of.description,
        "guest_tools": of.guest_tools,
        "access": of.access.value,
        "state": of.state.value,
        "standing": of.standing.value,
        "published_at": instant(of.published_at),
        "release_at": instant(of.release_at),
        "released_at": instant(of.released_at),
        "changed_at": instant(of.changed_at),
        "changed_by": of.changed_by,
        "revision": of.revision,
    }


def version_change(name: VersionName, change: VersionChange) -> dict[str, Json]:
    """Show one line of a version's history."""
    return {
        "version": str(name),
        "at": instant(change.at),
        "by": change.by,
        "what": change.what,
        "note": change.note,
    }


def release_wait(of: ReleaseWait) -> dict[str, Json] | None:
    """Show what a release waits for; nothing if it waits for nothing."""
    if of.is_over:
        return None
    return {
        "reason": str(of),
        "until": instant(of.until),
        "lacking": [
            {
                "server": one.server,
                "missing_bytes": one.missing_bytes,
                "problem": one.problem,
                "silent_since": instant(one.silent_since),
            }
            for one in of.lacking
        ],
        "not_waited_for": [{"server": one.server, "why": one.why} for one in of.excused],
    }


def overlay_view(view: OverlayView) -> dict[str, Json]:
    """Show what a device writes over a version, and how its server said that it is."""
    overlay, seen = view.overlay, view.overlay.seen
    return {
        "id": str(overlay.id),
        "export": view.export,
        "kind": overlay.kind.value,
        "image": view.image.name,
        "device": view.device.name,
        "server": view.server.name,
        "base": overlay.base.hex,
        "phase": overlay.phase.value,
        "limit_bytes": overlay.limit_bytes,
        "created_at": instant(overlay.created_at),
        "created_by": overlay.created_by,
        "opened_at": instant(overlay.opened_at),
        "state": None if seen is None else seen.condition.value,
        "reported_at": None if seen is None else instant(seen.at),
        "written_bytes": None if seen is None else seen.written_bytes,
        "allocated_bytes": None if seen is None else seen.allocated_bytes,
        "clients": None if seen is None else seen.clients,
        "problem": "" if seen is None else seen.problem,
    }


def cache_setting(of: CacheSetting) -> dict[str, Json]:
    """Show where devices are to keep what they write."""
    return {
        "kind": of.kind.value,
        "limit_bytes": of.limit_bytes,
        "fallback": of.fallback.value,
    }


def deletion(of: Deletion) -> dict[str, Json]:
    """Show what a delete came to."""
    return {
        **version(of.version),
        "removed_from": [server.name for server in of.removed_from],
        "waiting_for": [
            {"server": one.server.name, "state": one.state.value} for one in of.waiting_for
        ],
    }


def replica_view(view: ReplicaView) -> dict[str, Json]:
    """Show a replica."""
    replica = view.replica
    return {
        "server": view.server.name,
        "state": replica.state.value,
        "done_bytes": replica.done_bytes,
        "total_bytes": replica.total_bytes,
        "fetched_bytes": replica.fetched_bytes,
        "problem": replica.problem,
        "wanted_at": instant(replica.wanted_at),
        "reported_at": instant(replica.reported_at),
    }


def version_view(view: VersionView) -> dict[str, Json]:
    """Show a version and where it is."""
    return {
        **version(view.version),
        "pinned": view.is_pinned,
        "waits_for": release_wait(view.wait),
        "running": list(view.running),
        "starting": list(view.starting),
        "replicas": [replica_view(replica) for replica in view.replicas],
    }


def image_view(view: ImageView) -> dict[str, Json]:
    """Show an image with its versions."""
    newest = view.newest
    return {
        "id": str(view.image.id),
        "name": view.image.name,
        "description": view.image.description,
        "created_at": instant(view.image.created_at),
        "mode": view.image.mode.value,
        "write_cache": cache_setting(view.image.write_cache),
        "overlays": [overlay_view(one) for one in view.overlays],
        "pinned": view.image.pinned,
        "only_server": view.only_server,
        "revision": view.image.revision,
        "newest": None if newest is None else str(newest.name),
        "republish_needed": view.older_tools is not None,
        "newer_guest_tools": None if view.older_tools is None else str(view.older_tools.newer),
        "devices": view.device_count,
        "busy": view.is_busy,
        "versions": [version_view(one) for one in view.versions],
    }


def to_republish(of: ToRepublish) -> dict[str, Json]:
    """Show an image that is marked "republish needed", and what keeps it from that."""
    return {
        "image": of.image.name,
        "version": str(of.older.version),
        "guest_tools": str(of.older.inside),
        "newer_guest_tools": str(of.older.newer),
        "problem": (
            None if of.problem is None else {"code": of.problem.code, "message": of.problem.message}
        ),
    }


def republished(of: Republished) -> dict[str, Json]:
    """Show the same, with the task that republishes it."""
    return {**to_republish(of.marked), "task": None if of.task is None else of.task.number}


def import_outcome(outcome: ImportOutcome) -> dict[str, Json]:
    """Show what an import came to."""
    disk, changed = outcome.disk, outcome.changed
    return {
        **version(outcome.version),
        "published": outcome.is_published,
        "server": outcome.server.name,
        "chunks": disk.chunks,
        "zero_chunks": disk.zero_chunks,
        "new_chunks": disk.new_chunks,
        "stored_bytes": disk.stored_bytes,
        "changed_chunks": None if changed is None else changed.changed_chunks,
        "changed_bytes": None if changed is None else changed.changed_bytes,
    }


def version_verification(found: VersionVerification) -> dict[str, Json]:
    """Show what reading a version has found."""
    return {
        "version": str(found.version.name),
        "root": found.version.root.hex,
        "server": found.server.name,
        "sound": found.is_sound,
        "signature": "valid",
        "checked_chunks": found.store.checked_chunks,
        "checked_bytes": found.store.checked_bytes,
        "damaged_chunks_in_store": found.store.damaged_chunks,
    }


def store_report(report: StoreReport) -> dict[str, Json]:
    """Show what reading a store has found."""
    return {
        "server": report.server.name,
        "store": str(report.server.store.path),
        "sound": report.found.is_sound,
        "checked_chunks": report.found.checked_chunks,
        "checked_bytes": report.found.checked_bytes,
        "damaged_chunks": report.found.damaged_chunks,
        "affected_versions": [str(name) for name in report.affected],
        "affected_roots": sorted(root.hex for root in report.found.affected_roots),
    }


def healing_report(report: HealingReport) -> dict[str, Json]:
    """Show what healing a store came to."""
    return {
        "server": report.server.name,
        "store": str(report.server.store.path),
        "sound": report.healing.is_sound,
        "damaged_chunks": report.healing.damaged_chunks,
        "healed_chunks": report.healing.healed_chunks,
        "fetched_bytes": report.healing.fetched_bytes,
    }


def collection_report(report: CollectionReport) -> dict[str, Json]:
    """Show what collecting a store comes or came to."""
    plan, done = report.plan, report.done
    return {
        "server": report.server.name,
        "store": str(report.server.store.path),
        "dry_run": done is None,
        "versions_kept": len(plan.kept_roots),
        "versions_incomplete": len(plan.incomplete_roots),
        "live_bytes": plan.live_bytes,
        "dead_bytes": plan.dead_bytes,
        "abandoned_bytes": plan.abandoned_bytes,
        "freed_bytes": plan.freed_bytes if done is None else done.freed_bytes,
        "copied_bytes": plan.copied_bytes if done is None else done.copied_bytes,
        "unusable_packs": plan.unusable_packs,
        "spared_packs": 0 if done is None else done.spared_packs,
        "unwanted_versions": [
            {"root": version.root.hex, "names": [str(name) for name in version.names]}
            for version in report.strange
        ],
    }


def device_view(view: DeviceView) -> dict[str, Json]:
    """Show a device."""
    device = view.device
    return {
        "id": str(device.id),
        "name": device.name,
        "mac": device.mac.text,
        "image": view.image,
        "version": None if view.version is None else str(view.version),
        "write_cache": view.cache.kind.value,
        "write_cache_setting": cache_setting(view.cache),
        "write_cache_is_own": view.has_own_cache,
        "write_cache_used": None
        if view.used is None
        else {
            "kind": view.used.kind.value,
            "at": instant(view.used.at),
            "used_bytes": view.used.used_bytes,
            "limit_bytes": view.used.limit_bytes,
            "problem": view.used.problem,
        },
        "overlays": [overlay_view(one) for one in view.overlays],
        "warning": view.warning,
        "collection": view.collection.name,
        "site": view.site.name,
        "type": device.type.value,
        "disabled": device.disabled,
        "description": device.description,
        "revision": device.revision,
        "registered_at": instant(device.registered_at),
        "last_login_at": None if device.last_login is None else instant(device.last_login.at),
    }


def login_answer(answer: LoginAnswer) -> dict[str, Json]:
    """Give the very document that the API gives a device (``corral.wire.login``)."""
    return {
        "format": 1,
        "device": answer.device.name,
        "export": answer.export,
        "root": answer.version.root.hex,
        "size_bytes": answer.version.size_bytes,
        "ticket": answer.ticket,
        "expires_at": int(answer.expires_at.timestamp()),
        "write_cache": answer.write_cache.value,
        "cache_limit_bytes": answer.setting.limit_bytes,
        "cache_fallback": (
            answer.setting.fallback.value if answer.setting.kind.needs_disk else None
        ),
        "writable": answer.overlay is not None,
        "servers": [
            {
                "name": one.name,
                "addresses": [str(address) for address in one.advertised],
                "tls": one.requires_tls,
            }
            for one in answer.servers
        ],
        "certificate_authority": answer.authority,
    }


def session_view(view: SessionView) -> dict[str, Json]:
    """Show a session."""
    return {
        "device": None if view.device is None else view.device.name,
        "device_id": (None if view.session.device_id is None else str(view.session.device_id)),
        "version": view.session.export,
        "server": view.server.name,
        "server_state": view.server_state.value,
        "address": view.session.address,
        "connected_at": instant(view.session.connected_at),
        "sent_bytes": view.session.sent_bytes,
    }


def farm_status(
    status: FarmStatus, copies: Mapping[str, int], tasks: Sequence[TaskView]
) -> dict[str, Json]:
    """Show who streams what, how many copies are in which state, and active tasks."""
    return {
        "farm": status.farm.name,
        "generation": status.farm.generation,
        "observing": (
            None
            if status.observing is None
            else {
                "restored_at": instant(status.observing.restored_at),
                "accepted": status.observing.is_accepted,
                "servers": list(status.observing.servers),
            }
        ),
        "warnings": [
            {"device": view.device.name, "warning": view.warning} for view in status.warnings
        ],
        "servers": [
            {
                "name": line.server.name,
                "state": line.state.value,
                "draining": line.server.draining,
                "sessions": line.session_count,
                "stalled": _counted(line.server, "stalled"),
                "failed_requests": _counted(line.server, "failed_requests"),
                "reported_at": (
                    None if line.server.last_report is None else instant(line.server.last_report.at)
                ),
            }
            for line in status.servers
        ],
        "sessions": [session_view(view) for view in status.sessions],
        "pending": [
            {"version": str(one.version.name), "waits_for": release_wait(one.wait)}
            for one in status.pending
        ],
        "devices": {"known": status.device_count, "streaming": status.streaming_count},
        "replication": dict(copies),
        "tasks": [
            {
                "number": view.task.number,
                "kind": view.task.request.kind.value,
                "object": view.task.request.object,
                "state": view.task.state.value,
            }
            for view in tasks
        ],
    }


def _counted(server: Server, counter: str) -> int:
    return 0 if server.last_report is None else server.last_report.counters.get(counter, 0)


def certificates(shown: Certificates) -> dict[str, Json]:
    """Give what is known of the farm's certificates."""
    api = shown.api
    return {
        "root": shown.root,
        "root_file": shown.root_file,
        "api": (
            None if api is None else {"hosts": list(api.hosts), "ends_at": instant(api.ends_at)}
        ),
        "servers": [
            {
                "name": one.server,
                "hosts": list(one.hosts),
                "ends_at": instant(one.ends_at),
                "requires_tls": one.requires_tls,
            }
            for one in shown.servers
        ],
    }
