"""What people's tools read."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter

from corral.farm.application.list_images import ImageView, VersionView
from corral.farm.application.list_servers import ServerView
from corral.farm.domain.access.permission import Permission
from corral.farm.entrypoints.http.permitted import Caller, permitted
from corral.wire import listing
from corral.wire.server import ReplicaState


def routes() -> APIRouter:
    """Give the routes."""
    router = APIRouter(prefix="/v1", tags=["lists"])

    @router.get("/servers", operation_id="list_servers")
    def servers(caller: Annotated[Caller, permitted(Permission.SERVER_READ)]) -> listing.ServerList:
        """List the servers, and what each holds."""
        return listing.ServerList(servers=tuple(map(_server, caller.application.list_servers())))

    @router.get("/images", operation_id="list_images")
    def images(caller: Annotated[Caller, permitted(Permission.IMAGE_READ)]) -> listing.ImageList:
        """List the images with their versions, and who holds each."""
        return listing.ImageList(images=tuple(map(_image, caller.application.list_images())))

    @router.get("/devices", operation_id="list_devices")
    def devices(caller: Annotated[Caller, permitted(Permission.DEVICE_READ)]) -> listing.DeviceList:
        """List the devices, and what each would start from now."""
        return listing.DeviceList(
            devices=tuple(
                listing.DeviceItem(
                    name=view.device.name,
                    mac=str(view.device.mac),
                    image=view.image,
                    version=None if view.version is None else str(view.version),
                    last_login_at=(
                        None
                        if view.device.last_login is None
                        else _seconds(view.device.last_login.at)
                    ),
                )
                for view in caller.application.list_devices()
            )
        )

    @router.get("/sessions", operation_id="list_sessions")
    def sessions(
        caller: Annotated[Caller, permitted(Permission.STATUS_READ)],
    ) -> listing.SessionList:
        """Say who streams what, as the servers last reported."""
        status = caller.application.show_status()
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
                for view in status.sessions
            ),
        )

    return router


def _server(view: ServerView) -> listing.ServerItem:
    report = view.server.last_report
    return listing.ServerItem(
        name=view.server.name,
        state=view.state,
        draining=view.server.draining,
        addresses=tuple(str(address) for address in view.server.advertised),
        chunk_url=view.server.chunk_url,
        sessions=None if report is None else report.session_count,
        reported_at=None if report is None else _seconds(report.at),
        store_free_bytes=None if report is None else report.free_bytes,
        counters={} if report is None else dict(report.counters),
        versions=tuple(
            listing.HeldVersion(
                version=str(held.name),
                root=held.replica.root.hex,
                state=ReplicaState(held.replica.state.value),
                done_bytes=held.replica.done_bytes,
                total_bytes=held.replica.total_bytes,
                fetched_bytes=held.replica.fetched_bytes,
                problem=held.replica.problem,
            )
            for held in view.held
        ),
    )


def _image(view: ImageView) -> listing.ImageItem:
    return listing.ImageItem(
        name=view.image.name,
        description=view.image.description,
        devices=view.device_count,
        versions=tuple(map(_version, view.versions)),
    )


def _version(view: VersionView) -> listing.VersionItem:
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


def _seconds(instant: datetime) -> int:
    return int(instant.timestamp())
