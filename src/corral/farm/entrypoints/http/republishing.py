"""Images that are marked "republish needed", and the one action that republishes them."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query

from corral.farm.application.republish_images import ToRepublish
from corral.farm.domain.access.permission import Permission
from corral.farm.domain.image.image import image_name
from corral.farm.domain.image.version import Access
from corral.farm.domain.task.task import Task
from corral.farm.entrypoints.http.permitted import Caller, permitted
from corral.wire import image as wire


def routes() -> APIRouter:
    """Give the routes."""
    router = APIRouter(prefix="/v1/republishing", tags=["images"])

    @router.get("", operation_id="list_to_republish")
    def list_to_republish(
        caller: Annotated[Caller, permitted(Permission.IMAGE_READ)],
        image: Annotated[tuple[str, ...], Query(description="Only of these; several.")] = (),
    ) -> wire.ImagesToRepublish:
        """List the images that are marked, and what keeps each from being republished."""
        marked = caller.application.list_to_republish([image_name(one) for one in image])
        return wire.ImagesToRepublish(images=tuple(_marked(one, None) for one in marked))

    @router.post("", operation_id="republish_images", status_code=HTTPStatus.ACCEPTED)
    def republish_images(
        message: wire.Republishing,
        caller: Annotated[Caller, permitted(Permission.VERSION_MAINTAIN)],
    ) -> wire.ImagesToRepublish:
        """Queue a task for each image that is named, or for all that are marked.

        If none is named, those that cannot be republished now are left, with the reason.
        """
        names = [image_name(one) for one in message.images]
        republished = caller.application.republish_images(names, Access(message.to.value))
        return wire.ImagesToRepublish(
            images=tuple(_marked(one.marked, one.task) for one in republished)
        )

    return router


def _marked(of: ToRepublish, task: Task | None) -> wire.ImageToRepublish:
    problem = of.problem
    return wire.ImageToRepublish(
        image=of.image.name,
        version=str(of.older.version),
        guest_tools=str(of.older.inside),
        newer_guest_tools=str(of.older.newer),
        problem=None
        if problem is None
        else wire.RepublishProblem(code=problem.code, message=problem.message),
        task=None if task is None else task.number,
    )
