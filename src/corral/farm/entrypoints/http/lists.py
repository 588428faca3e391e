"""What people's tools read."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter

from corral.farm.application.list_images import (
    IMAGES,
    VERSIONS,
    ImageView,
    VersionView,
    all_versions,
)
from corral.farm.application.list_servers import REPLICAS, HeldReplica, all_replicas
from corral.farm.application.listing import page_of
from corral.farm.application.show_status import SESSIONS
from corral.farm.domain.access.permission import Permission, Place
from corral.farm.domain.image.version import Version
from corral.farm.entrypoints.http.permitted import Caller, permitted
from corral.farm.entrypoints.http.wishes import Wished
from corral.wire import estate, listing
from corral.wire.server import ReplicaState


def routes() -> APIRouter:
    """Give the routes."""
    router = APIRouter(prefix="/v1", tags=["lists"])

    @router.get("/images", operation_id="list_images")
    def images(
        wish: Wished, caller: Annotated[Caller, permitted(Permission.IMAGE_READ)]
    ) -> listing.ImageList:
        """List the images with their versions, and who holds each.

        Keys are name, description, newest, versions, devices, created, republish.
        """
        page = page_of(caller.application.list_images(), IMAGES, wish)
        return listing.ImageList(
            images=tuple(map(image_item, page.items)), total=page.total, next=page.next
        )

    @router.get("/versions", operation_id="list_versions")
    def versions(
        wish: Wished, caller: Annotated[Caller, permitted(Permission.VERSION_READ)]
    ) -> estate.VersionList:
        """List the versions of all images.

        Keys are name, image, number, root, access, state, size, published, description, server.
        """
        page = page_of(all_versions(caller.application.list_images()), VERSIONS, wish)
        return estate.VersionList(
            versions=tuple(_listed_version(view.version) for view in page.items),
            total=page.total,
            next=page.next,
        )

    @router.get("/replicas", operation_id="list_replicas")
    def replicas(
        wish: Wished, caller: Annotated[Caller, permitted(Permission.REPLICA_READ)]
    ) -> estate.ReplicaList:
        """List what each server holds, or should hold, of each version.

        Keys are version, image, root, server, site, state, done, left, problem.
        """
        page = page_of(all_replicas(caller.application.list_servers()), REPLICAS, wish)
        return estate.ReplicaList(
            replicas=tuple(map(_replica, page.items)), total=page.total, next=page.next
        )

    @router.get("/sessions", operation_id="list_sessions")
    def sessions(
        wish: Wished, caller: Annotated[Caller, permitted(Permission.STATUS_READ)]
    ) -> listing.SessionList:
        """Say who streams what, as the servers last reported.

        Keys are device, version, image, server, state, address, since, sent.
        """
        status = caller.application.show_status()
        seen = [
            view
            for view in status.sessions
            if caller.may(Permission.STATUS_READ, Place(view.server.site_id))
            or (
                view.device is not None
                and caller.may(Permission.STATUS_READ, Place(collection=view.device.collection_id))
            )
        ]
        page = page_of(seen, SESSIONS, wish)
        return listing.SessionList(
            generation=status.farm.generation,
            sessions=tuple(
                listing.SessionItem(
                    server=view.server.name,
                    server_state=view.server_state,
                    device=None if view.device is None else view.device.name,
                    export=view.session.export,
                    address=view.session.address,
                    connected_at=_seconds(view.session.connected_at),
                    sent_bytes=view.session.sent_bytes,
                )
                for view in page.items
            ),
            total=page.total,
            next=page.next,
        )

    return router


def image_item(view: ImageView) -> listing.ImageItem:
    """Show an image."""
    return listing.ImageItem(
        name=view.image.name,
        description=view.image.description,
        devices=view.device_count,
        republish_needed=view.older_tools is not None,
        newer_guest_tools=None if view.older_tools is None else str(view.older_tools.newer),
        versions=tuple(map(version_item, view.versions)),
    )


def version_item(view: VersionView) -> listing.VersionItem:
    """Show a version and who holds it."""
    version = view.version
    return listing.VersionItem(
        name=str(version.name),
        number=version.number,
        root=version.root.hex,
        size_bytes=version.size_bytes,
        access=version.access,
        state=version.state,
        published_at=_seconds(version.published_at),
        description=version.description,
        holders=tuple(
            listing.Holder(
                server=held.server.name,
                state=ReplicaState(held.replica.state.value),
                done_bytes=held.replica.done_bytes,
                total_bytes=held.replica.total_bytes,
            )
            for held in view.replicas
        ),
    )


def _listed_version(version: Version) -> estate.VersionItem:
    return estate.VersionItem(
        name=str(version.name),
        image=version.name.image,
        number=version.number,
        root=version.root.hex,
        size_bytes=version.size_bytes,
        access=version.access,
        state=version.state,
        published_at=_seconds(version.published_at),
        description=version.description,
    )


def _replica(view: HeldReplica) -> estate.ReplicaItem:
    replica = view.held.replica
    return estate.ReplicaItem(
        version=str(view.held.name),
        root=replica.root.hex,
        server=view.server.name,
        site=view.site.name,
        state=ReplicaState(replica.state.value),
        done_bytes=replica.done_bytes,
        total_bytes=replica.total_bytes,
        fetched_bytes=replica.fetched_bytes,
        problem=replica.problem,
    )


def _seconds(instant: datetime) -> int:
    return int(instant.timestamp())
