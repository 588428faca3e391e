"""Images, as people administer them: who may start a version, and where devices write."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Response

from corral.farm.application.change_image import ImageEdit
from corral.farm.application.list_images import ImageView, VersionView
from corral.farm.application.maintain_image import MaintenanceRequest
from corral.farm.application.promote_version import PromotionRequest
from corral.farm.application.writers import OverlayView
from corral.farm.domain.access.permission import Permission, Place
from corral.farm.domain.delivery.device import device_name
from corral.farm.domain.estate.server import server_name
from corral.farm.domain.image.image import image_name
from corral.farm.domain.image.overlay import OverlayPhase, Promotion
from corral.farm.domain.image.version import Access, VersionName, VersionNumber
from corral.farm.domain.image.write_cache import (
    CacheFallback,
    CacheSetting,
    ImageMode,
    WriteCache,
)
from corral.farm.entrypoints.http.permitted import Caller, permitted
from corral.farm.entrypoints.http.wishes import Expected, edit_of, or_none, tag
from corral.wire import image as wire
from corral.wire.listing import Holder
from corral.wire.login import CacheFallback as WireFallback
from corral.wire.login import WriteCache as WireCache
from corral.wire.overlay import OverlayKind, OverlayState
from corral.wire.server import ReplicaState

Reads = Annotated[Caller, permitted(Permission.VERSION_READ)]
Changes = Annotated[Caller, permitted(Permission.VERSION_CHANGE)]
Maintains = Annotated[Caller, permitted(Permission.VERSION_MAINTAIN)]
Writes = Annotated[Caller, permitted(Permission.DEVICE_CHANGE)]


def routes() -> APIRouter:
    """Give the routes of images."""
    router = APIRouter(prefix="/v1/images/{name}", tags=["images"])
    _images(router)
    _versions(router)
    _moves(router)
    _maintenance(router)
    return router


def cache_routes() -> APIRouter:
    """Give the routes of what single devices write."""
    router = APIRouter(prefix="/v1/devices/{name}", tags=["devices"])

    @router.put("/write-cache", operation_id="set_device_cache", status_code=HTTPStatus.NO_CONTENT)
    def set_device_cache(name: str, message: wire.NewCacheSetting, caller: Writes) -> None:
        """Have a device write elsewhere than its image says, from its next start on."""
        _demand_device(caller, name)
        caller.application.set_device_cache(device_name(name), _setting(message))

    @router.delete(
        "/write-cache", operation_id="clear_device_cache", status_code=HTTPStatus.NO_CONTENT
    )
    def clear_device_cache(name: str, caller: Writes) -> None:
        """Have a device go by its image again."""
        _demand_device(caller, name)
        caller.application.set_device_cache(device_name(name), None)

    @router.delete("/overlays", operation_id="reset_device_cache")
    def reset_device_cache(name: str, caller: Writes, *, custom: bool = False) -> wire.GivenUp:
        """Give up what a device wrote on servers; with ``custom``, its own disk, too."""
        _demand_device(caller, name)
        given_up = caller.application.reset_device_cache(device_name(name), also_custom=custom)
        return wire.GivenUp(overlays=tuple(map(_overlay, given_up)))

    return router


def _images(router: APIRouter) -> None:
    @router.get("", operation_id="show_image")
    def show_image(
        name: str, response: Response, caller: Annotated[Caller, permitted(Permission.IMAGE_READ)]
    ) -> wire.ImageDetail:
        """Show an image, its versions, who has each, and what devices write over them."""
        return _shown(caller, name, response)

    @router.patch("", operation_id="change_image")
    def change_image(
        name: str,
        message: wire.ImageEdit,
        expected: Expected,
        response: Response,
        caller: Annotated[Caller, permitted(Permission.IMAGE_CHANGE)],
    ) -> wire.ImageDetail:
        """Change what an image says, for how many devices it is, and where they write."""
        edit = ImageEdit(
            description=message.description,
            mode=None if message.mode is None else ImageMode(message.mode.value),
            write_cache=None if message.write_cache is None else _setting(message.write_cache),
            only_server=edit_of(message, "only_server", or_none(server_name)),
        )
        caller.application.change_image(image_name(name), edit, expected)
        return _shown(caller, name, response)

    @router.delete("", operation_id="remove_image", status_code=HTTPStatus.NO_CONTENT)
    def remove_image(
        name: str,
        expected: Expected,
        caller: Annotated[Caller, permitted(Permission.IMAGE_REMOVE)],
    ) -> None:
        """Remove an image of which no version is left and that no device is to start from."""
        caller.application.remove_image(image_name(name), expected)

    @router.put("/pin", operation_id="pin_version")
    def pin_version(
        name: str, message: wire.Pin, response: Response, caller: Changes
    ) -> wire.ImageDetail:
        """Have production devices start one released version, whatever is released later."""
        caller.application.pin_version(_named(name, message.number))
        return _shown(caller, name, response)

    @router.delete("/pin", operation_id="unpin_image")
    def unpin_image(name: str, response: Response, caller: Changes) -> wire.ImageDetail:
        """Have production devices start the newest released version again."""
        caller.application.unpin_image(image_name(name))
        return _shown(caller, name, response)


def _versions(router: APIRouter) -> None:
    @router.get("/versions/{number}", operation_id="show_version")
    def show_version(
        name: str, number: int, response: Response, caller: Reads
    ) -> wire.VersionDetail:
        """Show a version as it stands now, and why it goes no further."""
        return _shown_version(caller, _named(name, number), response)

    @router.patch("/versions/{number}", operation_id="describe_version")
    def describe_version(  # noqa: PLR0913, PLR0917 - each a part of the request
        name: str,
        number: int,
        message: wire.VersionEdit,
        expected: Expected,
        response: Response,
        caller: Changes,
    ) -> wire.VersionDetail:
        """Say what is in a version."""
        version = _named(name, number)
        caller.application.describe_version(version, message.description, expected)
        return _shown_version(caller, version, response)

    @router.get("/versions/{number}/history", operation_id="show_version_history")
    def show_version_history(name: str, number: int, caller: Reads) -> wire.History:
        """Show what was done to a version, when and by whom."""
        changes = caller.application.show_version_history(_named(name, number))
        return wire.History(
            changes=tuple(
                wire.HistoryLine(at=one.at, by=one.by, what=one.what, note=one.note)
                for one in changes
            )
        )


def _moves(router: APIRouter) -> None:
    @router.post("/versions/{number}/promote", operation_id="promote_version")
    def promote_version(  # noqa: PLR0913, PLR0917 - each a part of the request
        name: str,
        number: int,
        message: wire.VersionPromotion,
        expected: Expected,
        response: Response,
        caller: Changes,
    ) -> wire.VersionDetail:
        """Let more devices start a version; one that is pending gets another date."""
        version = _named(name, number)
        caller.application.promote_version(
            PromotionRequest(version, Access(message.to.value), message.at, expected)
        )
        return _shown_version(caller, version, response)

    @router.post("/versions/{number}/release", operation_id="release_version")
    def release_version(
        name: str, number: int, expected: Expected, response: Response, caller: Changes
    ) -> wire.VersionDetail:
        """Release a pending version now, whatever it waits for."""
        version = _named(name, number)
        caller.application.release_version(version, expected)
        return _shown_version(caller, version, response)

    @router.post("/versions/{number}/revert", operation_id="revert_version")
    def revert_version(  # noqa: PLR0913, PLR0917 - each a part of the request
        name: str,
        number: int,
        message: wire.VersionReversion,
        expected: Expected,
        response: Response,
        caller: Changes,
    ) -> wire.VersionDetail:
        """Take the newest version back, or a retired one back to test."""
        version = _named(name, number)
        caller.application.revert_version(version, Access(message.to.value), expected)
        return _shown_version(caller, version, response)

    @router.post("/versions/{number}/retire", operation_id="retire_version")
    def retire_version(
        name: str, number: int, expected: Expected, response: Response, caller: Changes
    ) -> wire.VersionDetail:
        """Have no device start a version any more."""
        version = _named(name, number)
        caller.application.retire_version(version, expected)
        return _shown_version(caller, version, response)


def _maintenance(router: APIRouter) -> None:
    @router.post("/maintenance", operation_id="maintain_image", status_code=HTTPStatus.CREATED)
    def maintain_image(
        name: str, message: wire.NewMaintenance, caller: Maintains
    ) -> wire.OverlayItem:
        """Let one device change an image, from its next start on."""
        return _overlay(
            caller.application.maintain_image(
                MaintenanceRequest(
                    image=image_name(name),
                    device=device_name(message.device),
                    server=None if message.server is None else server_name(message.server),
                    limit_bytes=message.limit_bytes,
                )
            )
        )

    @router.post(
        "/maintenance/promote",
        operation_id="promote_maintenance",
        status_code=HTTPStatus.ACCEPTED,
    )
    def promote_maintenance(
        name: str, message: wire.MaintenancePromotion, caller: Maintains
    ) -> wire.OverlayItem:
        """Make a version of what a device wrote; it is there when the overlay is gone."""
        promotion = Promotion(Access(message.to.value), message.at, message.description)
        view = caller.application.promote_maintenance(
            image_name(name), promotion, even_if_unchanged=message.even_if_unchanged
        )
        return _overlay(view)

    @router.delete("/maintenance", operation_id="discard_maintenance")
    def discard_maintenance(name: str, caller: Maintains) -> wire.OverlayItem:
        """Give up what a device wrote over an image."""
        return _overlay(caller.application.discard_maintenance(image_name(name)))


def _demand_device(caller: Caller, name: str) -> None:
    view = caller.application.show_device(device_name(name))
    caller.demand(Place(view.site.id, view.collection.id))


def _named(image: str, number: int) -> VersionName:
    return VersionName(image_name(image), VersionNumber(number))


def _setting(message: wire.CacheSetting) -> CacheSetting:
    return CacheSetting(
        WriteCache(message.kind.value),
        message.limit_bytes,
        CacheFallback(message.fallback.value),
    )


def _shown(caller: Caller, name: str, response: Response) -> wire.ImageDetail:
    view = caller.application.show_image(image_name(name))
    tag(response, view.image.revision)
    return _image(view)


def _shown_version(caller: Caller, name: VersionName, response: Response) -> wire.VersionDetail:
    view = caller.application.show_version(name)
    tag(response, view.version.revision)
    return _version(view)


def _image(view: ImageView) -> wire.ImageDetail:
    image = view.image
    return wire.ImageDetail(
        name=image.name,
        description=image.description,
        mode=wire.ImageMode(image.mode.value),
        write_cache=wire.CacheSetting(
            kind=WireCache(image.write_cache.kind.value),
            limit_bytes=image.write_cache.limit_bytes,
            fallback=WireFallback(image.write_cache.fallback.value),
        ),
        pinned=image.pinned,
        only_server=view.only_server,
        devices=view.device_count,
        is_busy=view.is_busy,
        republish_needed=view.older_tools is not None,
        newer_guest_tools=None if view.older_tools is None else str(view.older_tools.newer),
        versions=tuple(map(_version, view.versions)),
        overlays=tuple(map(_overlay, view.overlays)),
        revision=image.revision,
    )


def _version(view: VersionView) -> wire.VersionDetail:
    version, wait = view.version, view.wait
    return wire.VersionDetail(
        name=str(version.name),
        number=version.number,
        root=version.root.hex,
        size_bytes=version.size_bytes,
        standing=wire.Standing(version.standing.value),
        is_pinned=view.is_pinned,
        waits_for=None
        if wait.is_over
        else wire.Wait(
            reason=str(wait),
            until=_seconds(wait.until),
            lacking=tuple(
                wire.Lack(
                    server=one.server,
                    missing_bytes=one.missing_bytes,
                    problem=one.problem,
                    silent_since=_seconds(one.silent_since),
                )
                for one in wait.lacking
            ),
            not_waited_for=tuple(
                wire.Excused(server=one.server, why=one.why) for one in wait.excused
            ),
        ),
        published_at=int(version.published_at.timestamp()),
        release_at=_seconds(version.release_at),
        released_at=_seconds(version.released_at),
        changed_at=_seconds(version.changed_at),
        changed_by=version.changed_by,
        description=version.description,
        guest_tools=version.guest_tools,
        running=view.running,
        starting=view.starting,
        holders=tuple(
            Holder(
                server=held.server.name,
                state=ReplicaState(held.replica.state.value),
                done_bytes=held.replica.done_bytes,
                total_bytes=held.replica.total_bytes,
            )
            for held in view.replicas
        ),
        revision=version.revision,
    )


def _overlay(view: OverlayView) -> wire.OverlayItem:
    overlay, seen = view.overlay, view.overlay.seen
    return wire.OverlayItem(
        export=view.export,
        kind=OverlayKind(overlay.kind.value),
        device=view.device.name,
        server=view.server.name,
        base=overlay.base.hex,
        is_sealing=overlay.phase is OverlayPhase.SEALING,
        limit_bytes=overlay.limit_bytes,
        created_at=int(overlay.created_at.timestamp()),
        created_by=overlay.created_by,
        state=None if seen is None else OverlayState(seen.condition.value),
        allocated_bytes=None if seen is None else seen.allocated_bytes,
        clients=None if seen is None else seen.clients,
        problem="" if seen is None else seen.problem,
    )


def _seconds(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp())
