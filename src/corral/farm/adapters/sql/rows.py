"""Rows to domain values and back: the only place that knows both."""

from __future__ import annotations

from dataclasses import asdict
from datetime import time, timedelta
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias

from corral.farm.adapters.sql.release_rows import releases_from
from corral.farm.adapters.sql.scrub_rows import scrub_from, scrub_values
from corral.farm.domain.access.token import TokenDigest
from corral.farm.domain.delivery.device import (
    Assignment,
    Device,
    DeviceId,
    DeviceName,
    DeviceType,
    Login,
    MacAddress,
)
from corral.farm.domain.delivery.session import Session
from corral.farm.domain.estate.address import Address
from corral.farm.domain.estate.capacity import DeviceLimit, PowerRating
from corral.farm.domain.estate.collection import Collection, CollectionId, CollectionName
from corral.farm.domain.estate.farm import ApiUrl, Farm, FarmId, FarmName
from corral.farm.domain.estate.replication import UNLIMITED, Bandwidth, Window
from corral.farm.domain.estate.scrub import ScrubPolicy
from corral.farm.domain.estate.server import (
    LastReport,
    RefusedExport,
    Server,
    ServerId,
    ServerName,
)
from corral.farm.domain.estate.site import Site, SiteId, SiteName
from corral.farm.domain.estate.store import FolderId, Store, StoreFolder, StoreId, StoreName
from corral.farm.domain.estate.subnet import Subnet
from corral.farm.domain.image.image import Content, Image, ImageId, ImageName
from corral.farm.domain.image.replica import Replica, ReplicaState
from corral.farm.domain.image.root import RootHash
from corral.farm.domain.image.version import (
    Access,
    Version,
    VersionName,
    VersionNumber,
    VersionState,
)
from corral.farm.domain.image.write_cache import (
    CacheFallback,
    CacheSetting,
    ImageMode,
    WriteCache,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Row

# A row's columns are typed by the query that asked for them, which is out of the checker's sight.
AnyRow: TypeAlias = "Row[Any]"
Values: TypeAlias = dict[str, Any]

SINGLETON = 1
_TENTHS = 10


def farm_from(row: AnyRow) -> Farm:
    """Read the farm."""
    return Farm(
        id=FarmId(row.id),
        name=FarmName(row.name),
        public_key=row.public_key,
        api_urls=tuple(map(ApiUrl, row.api_urls)),
        created_at=row.created_at,
        generation=row.generation,
        former_api_urls=tuple(map(ApiUrl, row.former_api_urls)),
        revision=row.revision,
    )


def farm_values(farm: Farm) -> Values:
    """Give the farm's row."""
    return {
        "singleton": SINGLETON,
        "id": farm.id,
        "name": farm.name,
        "public_key": farm.public_key,
        "api_urls": list(farm.api_urls),
        "created_at": farm.created_at,
        "generation": farm.generation,
        "former_api_urls": list(farm.former_api_urls),
        "revision": farm.revision,
    }


def site_from(row: AnyRow) -> Site:
    """Read a site."""
    return Site(
        id=SiteId(row.id),
        name=SiteName(row.name),
        description=row.description,
        subnets=tuple(map(Subnet.parse, row.subnets)),
        bandwidth=bandwidth_from(row.bandwidth),
        revision=row.revision,
    )


def bandwidth_value(bandwidth: Bandwidth) -> dict[str, object] | None:
    """Give a limit as JSON; none for no limit."""
    if bandwidth == UNLIMITED:
        return None
    return {
        "rate": bandwidth.rate,
        "zone": bandwidth.zone,
        "windows": [
            {"begins": f"{w.begins:%H:%M}", "ends": f"{w.ends:%H:%M}", "rate": w.rate}
            for w in bandwidth.windows
        ],
    }


def bandwidth_from(value: Mapping[str, Any] | None) -> Bandwidth:
    """Read a limit."""
    if value is None:
        return UNLIMITED
    return Bandwidth(
        value["rate"],
        tuple(
            Window(time.fromisoformat(w["begins"]), time.fromisoformat(w["ends"]), w["rate"])
            for w in value["windows"]
        ),
        value["zone"],
    )


def site_values(site: Site) -> Values:
    """Give a site's row."""
    return {
        "id": site.id,
        "name": site.name,
        "description": site.description,
        "subnets": [str(subnet) for subnet in site.subnets],
        "bandwidth": bandwidth_value(site.bandwidth),
        "revision": site.revision,
    }


def collection_from(row: AnyRow) -> Collection:
    """Read a collection."""
    return Collection(
        id=CollectionId(row.id),
        name=CollectionName(row.name),
        site_id=SiteId(row.site_id),
        description=row.description,
        revision=row.revision,
    )


def collection_values(collection: Collection) -> Values:
    """Give a collection's row."""
    return {
        "id": collection.id,
        "name": collection.name,
        "site_id": collection.site_id,
        "description": collection.description,
        "revision": collection.revision,
    }


def store_from(row: AnyRow) -> Store:
    """Read a store."""
    return Store(
        id=StoreId(row.id),
        name=StoreName(row.name),
        description=row.description,
        default_path=None if row.default_path is None else Path(row.default_path),
        shared=row.shared,
        copies=row.copies,
        copies_set_at=row.copies_set_at,
        scrub=ScrubPolicy(row.scrub_rate, timedelta(seconds=row.scrub_every_seconds)),
        revision=row.revision,
    )


def store_values(store: Store) -> Values:
    """Give a store's row."""
    return {
        "id": store.id,
        "name": store.name,
        "description": store.description,
        "default_path": None if store.default_path is None else str(store.default_path),
        "shared": store.shared,
        "copies": store.copies,
        "copies_set_at": store.copies_set_at,
        "scrub_rate": store.scrub.rate,
        "scrub_every_seconds": round(store.scrub.every.total_seconds()),
        "revision": store.revision,
    }


def server_from(row: AnyRow) -> Server:
    """Read a server joined with its folder, whose columns begin with ``folder_``."""
    report = None
    if row.reported_at is not None:
        report = LastReport(
            at=row.reported_at,
            session_count=row.reported_session_count,
            free_bytes=row.reported_free_bytes,
            counters=MappingProxyType(dict(row.reported_counters)),
            clock_offset=(
                None
                if row.reported_clock_offset_ms is None
                else timedelta(milliseconds=row.reported_clock_offset_ms)
            ),
            certificate_ends_at=row.reported_certificate_ends_at,
            requires_tls=bool(row.reported_requires_tls),
            chunks_require_tls=bool(row.reported_chunks_require_tls),
            scrub=None if row.reported_scrub is None else scrub_from(row.reported_scrub),
            refused=tuple(RefusedExport(**one) for one in row.reported_refused or ()),
            release=row.reported_release or "",
            refusal=row.reported_refusal or "",
            releases=None
            if row.reported_releases is None
            else releases_from(row.reported_releases),
            generation=row.reported_generation or 0,
        )
    return Server(
        id=ServerId(row.id),
        name=ServerName(row.name),
        store=StoreFolder(
            FolderId(row.folder_id), Path(row.folder_path), StoreId(row.folder_store_id)
        ),
        listen=tuple(map(Address.parse, row.listen)),
        advertised=tuple(map(Address.parse, row.advertised)),
        chunks_listen=Address.parse(row.chunks_listen),
        chunks_advertised=Address.parse(row.chunks_advertised),
        token_digest=TokenDigest(row.token_digest),
        added_at=row.added_at,
        draining=row.draining,
        last_report=report,
        site_id=SiteId(row.site_id),
        description=row.description,
        management=None if row.management is None else Address.parse(row.management),
        power_rating=PowerRating(Decimal(row.power_tenths) / _TENTHS),
        max_devices=None if row.max_devices is None else DeviceLimit(row.max_devices),
        max_devices_booting=(
            None if row.max_devices_booting is None else DeviceLimit(row.max_devices_booting)
        ),
        maintenance=row.maintenance,
        subnets=tuple(map(Subnet.parse, row.subnets)),
        relay=row.relay,
        revision=row.revision,
    )


def server_values(server: Server) -> Values:
    """Give a server's row, without its report."""
    return {
        "id": server.id,
        "name": server.name,
        "listen": [str(address) for address in server.listen],
        "advertised": [str(address) for address in server.advertised],
        "chunks_listen": str(server.chunks_listen),
        "chunks_advertised": str(server.chunks_advertised),
        "token_digest": server.token_digest.value,
        "added_at": server.added_at,
        "draining": server.draining,
        "site_id": server.site_id,
        "description": server.description,
        "management": None if server.management is None else str(server.management),
        "power_tenths": int(server.power_rating * _TENTHS),
        "max_devices": server.max_devices,
        "max_devices_booting": server.max_devices_booting,
        "maintenance": server.maintenance,
        "subnets": [str(subnet) for subnet in server.subnets],
        "relay": server.relay,
        "revision": server.revision,
    }


def folder_values(server: Server) -> Values:
    """Give the row of a server's folder."""
    return {
        "id": server.store.id,
        "server_id": server.id,
        "path": str(server.store.path),
        "named_store_id": server.store.belongs_to,
    }


def report_values(report: LastReport) -> Values:
    """Give the columns of a server's last report."""
    return {
        "reported_at": report.at,
        "reported_session_count": report.session_count,
        "reported_free_bytes": report.free_bytes,
        "reported_counters": dict(report.counters),
        "reported_clock_offset_ms": (
            None
            if report.clock_offset is None
            else round(report.clock_offset / timedelta(milliseconds=1))
        ),
        "reported_certificate_ends_at": report.certificate_ends_at,
        "reported_requires_tls": report.requires_tls,
        "reported_chunks_require_tls": report.chunks_require_tls,
        "reported_scrub": None if report.scrub is None else scrub_values(report.scrub),
        "reported_refused": [asdict(one) for one in report.refused],
        "reported_release": report.release,
        "reported_refusal": report.refusal,
        "reported_releases": None if report.releases is None else asdict(report.releases),
        "reported_generation": report.generation,
    }


def image_from(row: AnyRow) -> Image:
    """Read an image."""
    return Image(
        id=ImageId(row.id),
        name=ImageName(row.name),
        created_at=row.created_at,
        description=row.description,
        last_number=row.last_number,
        mode=ImageMode(row.mode),
        write_cache=CacheSetting(
            WriteCache(row.write_cache),
            row.write_cache_limit_bytes,
            CacheFallback(row.write_cache_fallback),
        ),
        pinned=None if row.pinned_number is None else VersionNumber(row.pinned_number),
        only_server=None if row.only_server_id is None else ServerId(row.only_server_id),
        revision=row.revision,
        content=Content(row.content),
    )


def image_values(image: Image) -> Values:
    """Give an image's row."""
    return {
        "id": image.id,
        "name": image.name,
        "created_at": image.created_at,
        "description": image.description,
        "last_number": image.last_number,
        "mode": image.mode.value,
        "write_cache": image.write_cache.kind.value,
        "write_cache_limit_bytes": image.write_cache.limit_bytes,
        "write_cache_fallback": image.write_cache.fallback.value,
        "pinned_number": image.pinned,
        "only_server_id": image.only_server,
        "revision": image.revision,
        "content": image.content.value,
    }


def version_from(row: AnyRow) -> Version:
    """Read a version joined with its image, whose name is ``image_name``."""
    return Version(
        image_id=ImageId(row.image_id),
        name=VersionName(ImageName(row.image_name), VersionNumber(row.number)),
        root=RootHash(row.root),
        size_bytes=row.size_bytes,
        signature=row.signature,
        published_at=row.published_at,
        description=row.description,
        access=Access(row.access),
        state=VersionState(row.state),
        release_at=row.release_at,
        released_at=row.released_at,
        changed_at=row.changed_at,
        changed_by=row.changed_by,
        revision=row.revision,
        image_format=row.image_format,
        published_with=row.published_with,
        guest_tools=row.guest_tools,
    )


def version_values(version: Version) -> Values:
    """Give a version's row."""
    return {
        "image_id": version.image_id,
        "number": version.number,
        "root": version.root.hex,
        "size_bytes": version.size_bytes,
        "signature": version.signature,
        "published_at": version.published_at,
        "description": version.description,
        "access": version.access.value,
        "state": version.state.value,
        "release_at": version.release_at,
        "released_at": version.released_at,
        "changed_at": version.changed_at,
        "changed_by": version.changed_by,
        "revision": version.revision,
        "image_format": version.image_format,
        "published_with": version.published_with,
        "guest_tools": version.guest_tools,
    }


def replica_from(row: AnyRow) -> Replica:
    """Read a replica."""
    return Replica(
        server_id=ServerId(row.server_id),
        root=RootHash(row.root),
        wanted_at=row.wanted_at,
        state=ReplicaState(row.state),
        done_bytes=row.done_bytes,
        total_bytes=row.total_bytes,
        fetched_bytes=row.fetched_bytes,
        problem=row.problem,
        reported_at=row.reported_at,
        completed_at=row.completed_at,
        doubt=row.doubt,
        by_hand=row.by_hand,
        bytes_per_second=row.bytes_per_second,
    )


def replica_values(replica: Replica) -> Values:
    """Give a replica's row."""
    return {
        "server_id": replica.server_id,
        "root": replica.root.hex,
        "wanted_at": replica.wanted_at,
        "state": replica.state.value,
        "done_bytes": replica.done_bytes,
        "total_bytes": replica.total_bytes,
        "fetched_bytes": replica.fetched_bytes,
        "problem": replica.problem,
        "reported_at": replica.reported_at,
        "completed_at": replica.completed_at,
        "doubt": replica.doubt,
        "by_hand": replica.by_hand,
        "bytes_per_second": replica.bytes_per_second,
    }


def device_from(row: AnyRow) -> Device:
    """Read a device."""
    return Device(
        id=DeviceId(row.id),
        name=DeviceName(row.name),
        mac=MacAddress(row.mac),
        key_digest=TokenDigest(row.key_digest),
        registered_at=row.registered_at,
        assignment=(
            None if row.image_id is None else Assignment(ImageId(row.image_id), row.assigned_at)
        ),
        last_login=(
            None
            if row.login_at is None
            else Login(
                server_id=None if row.login_server_id is None else ServerId(row.login_server_id),
                at=row.login_at,
                image_id=None if row.login_image_id is None else ImageId(row.login_image_id),
                address=row.login_address,
            )
        ),
        write_cache=WriteCache(row.write_cache),
        collection_id=CollectionId(row.collection_id),
        type=DeviceType(row.type),
        disabled=row.disabled,
        description=row.description,
        revision=row.revision,
    )


def device_values(device: Device) -> Values:
    """Give a device's row."""
    assignment, login = device.assignment, device.last_login
    return {
        "id": device.id,
        "name": device.name,
        "mac": device.mac.text,
        "key_digest": device.key_digest.value,
        "registered_at": device.registered_at,
        "write_cache": device.write_cache.value,
        "image_id": None if assignment is None else assignment.image_id,
        "assigned_at": None if assignment is None else assignment.assigned_at,
        "login_server_id": None if login is None else login.server_id,
        "login_at": None if login is None else login.at,
        "login_image_id": None if login is None else login.image_id,
        "login_address": None if login is None else login.address,
        "collection_id": device.collection_id,
        "type": device.type.value,
        "disabled": device.disabled,
        "description": device.description,
        "revision": device.revision,
    }


def session_from(row: AnyRow) -> Session:
    """Read a session."""
    return Session(
        server_id=ServerId(row.server_id),
        device_id=None if row.device_id is None else DeviceId(row.device_id),
        export=row.export,
        address=row.address,
        connected_at=row.connected_at,
        sent_bytes=row.sent_bytes,
        read_at=row.read_at,
    )


def session_values(session: Session, place: int) -> Values:
    """Give a session's row."""
    return {
        "server_id": session.server_id,
        "place": place,
        "device_id": session.device_id,
        "export": session.export,
        "address": session.address,
        "connected_at": session.connected_at,
        "sent_bytes": session.sent_bytes,
        "read_at": session.read_at,
    }
