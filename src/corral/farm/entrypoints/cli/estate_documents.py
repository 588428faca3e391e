"""The JSON of sites, collections and stores. Fields are added, never renamed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corral.farm.entrypoints.cli import scrub_documents

if TYPE_CHECKING:
    from corral.farm.application.list_collections import CollectionView
    from corral.farm.application.list_servers import HeldReplica
    from corral.farm.application.list_sites import SiteView
    from corral.farm.application.list_stores import StoreView
    from corral.farm.application.remove_server import ServerRemoval
    from corral.farm.domain.estate.replication import Bandwidth
    from corral.farm.entrypoints.cli.output import Json


def bandwidth(of: Bandwidth) -> dict[str, Json]:
    """Show what copies may take of a site's line."""
    return {
        "rate": of.rate,
        "windows": [{"between": str(one), "rate": one.rate} for one in of.windows],
        "zone": of.zone,
    }


def site_view(view: SiteView) -> dict[str, Json]:
    """Show a site."""
    site = view.site
    return {
        "id": str(site.id),
        "name": site.name,
        "description": site.description,
        "subnets": [str(subnet) for subnet in site.subnets],
        "line": bandwidth(site.bandwidth),
        "revision": site.revision,
        "servers": view.servers,
        "collections": view.collections,
        "devices": view.devices,
    }


def collection_view(view: CollectionView) -> dict[str, Json]:
    """Show a collection."""
    collection = view.collection
    return {
        "id": str(collection.id),
        "name": collection.name,
        "site": view.site.name,
        "description": collection.description,
        "revision": collection.revision,
        "devices": view.devices,
    }


def store_view(view: StoreView) -> dict[str, Json]:
    """Show a store and who keeps it."""
    store = view.store
    return {
        "id": str(store.id),
        "name": store.name,
        "description": store.description,
        "default_path": None if store.default_path is None else str(store.default_path),
        "shared": store.shared,
        "copies": store.copies,
        "scrub": scrub_documents.policy(store.scrub),
        "revision": store.revision,
        "servers": [
            {"name": server.name, "path": str(server.store.path), "folder": str(server.store.id)}
            for server in view.servers
        ],
    }


def server_removal(of: ServerRemoval) -> dict[str, Json]:
    """Show what goes with a server, or went."""
    return {
        "server": of.server.name,
        "lost": of.is_lost,
        "removed": of.is_done,
        "copies": [str(version) for version in of.copies],
        "disks": [
            {"device": disk.device, "version": str(disk.version), "kind": disk.kind.value}
            for disk in of.disks
        ],
        "deleted": [str(version) for version in of.deleted],
        "tasks": list(of.tasks),
        "schedules": list(of.schedules),
    }


def replica(view: HeldReplica) -> dict[str, Json]:
    """Show what a server holds of a version."""
    replica = view.held.replica
    return {
        "version": str(view.held.name),
        "root": replica.root.hex,
        "server": view.server.name,
        "site": view.site.name,
        "state": replica.state.value,
        "done_bytes": replica.done_bytes,
        "total_bytes": replica.total_bytes,
        "fetched_bytes": replica.fetched_bytes,
        "problem": replica.problem,
    }
