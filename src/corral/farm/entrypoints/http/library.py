"""The library: what is in it, the import folder, and the publishers that are trusted."""

import json
from http import HTTPStatus
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, HTTPException, Query, Request, Response
from fastapi.concurrency import run_in_threadpool

from corral.farm.application.list_library import FileKind, Folder, ItemView
from corral.farm.domain.access.permission import Permission
from corral.farm.domain.library.item import item_name
from corral.farm.domain.library.kit import (
    Publisher,
    publisher_name,
    read_public_key,
    written_public_key,
)
from corral.farm.domain.task.task import Argument, TaskKind
from corral.farm.entrypoints.http import task_messages
from corral.farm.entrypoints.http.permitted import Caller, permitted
from corral.farm.entrypoints.http.wishes import Expected, tag
from corral.wire import library as wire
from corral.wire.task import TaskDetails


def routes() -> APIRouter:
    """Give the routes of the library."""
    router = APIRouter(prefix="/v1/library", tags=["library"])

    @router.get("", operation_id="list_library")
    def list_library(
        caller: Annotated[Caller, permitted(Permission.LIBRARY_READ)],
    ) -> wire.Library:
        """List what is in the library."""
        return wire.Library(items=tuple(map(item, caller.application.list_library())))

    @router.post("", operation_id="import_into_library", status_code=HTTPStatus.ACCEPTED)
    def import_into_library(
        message: wire.NewLibraryItem,
        caller: Annotated[Caller, permitted(Permission.LIBRARY_IMPORT)],
    ) -> TaskDetails:
        """Queue a task that imports a file; what is wrong with the file, the task says."""
        arguments: dict[str, Argument] = {"path": message.path, "kind": message.kind}
        if message.name:
            arguments["name"] = message.name
        if message.server is not None:
            arguments["server"] = message.server
        task = caller.application.start_task(TaskKind.LIBRARY.value, arguments)
        return task_messages.details(caller.application.show_task(task.number))

    @router.get("/{name}", operation_id="show_library_item")
    def show(
        name: str, caller: Annotated[Caller, permitted(Permission.LIBRARY_READ)]
    ) -> wire.LibraryItemDetails:
        """Show one thing, with all that its publisher signed."""
        return details(caller.application.show_library_item(item_name(name)))

    @router.delete("/{name}", operation_id="remove_library_item")
    def remove(
        name: str, caller: Annotated[Caller, permitted(Permission.LIBRARY_CHANGE)]
    ) -> wire.LibraryItemDetails:
        """Take something out, and delete it from every server."""
        seen = caller.application.show_library_item(item_name(name))
        caller.application.remove_library_item(seen.item.name)
        return details(seen)

    return router


def folder_routes() -> APIRouter:
    """Give the routes of the import folder; they come before those of things by name."""
    router = APIRouter(prefix="/v1/library", tags=["library"])

    @router.get("/folder", operation_id="look_into_folder")
    def look(
        caller: Annotated[Caller, permitted(Permission.LIBRARY_IMPORT)],
        kind: Annotated[FileKind, Query(description="What is looked for.")] = FileKind.KIT,
    ) -> wire.LibraryFolder:
        """List what the import folder offers, and say of each other file why it does not."""
        return _folder(caller.application.look_into_folder(kind))

    @router.put(
        "/folder/{file}",
        operation_id="upload_into_folder",
        status_code=HTTPStatus.CREATED,
        openapi_extra={
            "requestBody": {"required": True, "content": {"application/octet-stream": {}}}
        },
    )
    async def upload(
        file: str,
        request: Request,
        caller: Annotated[Caller, permitted(Permission.LIBRARY_IMPORT)],
    ) -> wire.UploadedFile:
        """Put a file into the import folder; it is there once it has come in full."""
        length = request.headers.get("content-length", "")
        if not length.isdigit():
            detail = "an upload says its size: send Content-Length"
            raise HTTPException(HTTPStatus.LENGTH_REQUIRED, detail)
        upload = await run_in_threadpool(caller.application.receive_file, file, int(length))
        try:
            async for piece in request.stream():
                await run_in_threadpool(upload.write, piece)
            path = await run_in_threadpool(upload.finish)
        finally:
            await run_in_threadpool(upload.abandon)
        return wire.UploadedFile(name=path.name, path=str(path), size_bytes=int(length))

    @router.patch("/folder", operation_id="set_library_folder")
    def set_folder(
        message: wire.LibraryFolderEdit,
        expected: Expected,
        response: Response,
        caller: Annotated[Caller, permitted(Permission.LIBRARY_CHANGE)],
    ) -> wire.LibraryRules:
        """Say where files are imported from."""
        rules = caller.application.set_library_folder(Path(message.folder), expected)
        tag(response, rules.revision)
        folder = None if rules.folder is None else str(rules.folder)
        return wire.LibraryRules(folder=folder, revision=rules.revision)

    return router


def publisher_routes() -> APIRouter:
    """Give the routes of publishers."""
    router = APIRouter(prefix="/v1/publishers", tags=["library"])

    @router.get("", operation_id="list_publishers")
    def list_publishers(
        caller: Annotated[Caller, permitted(Permission.PUBLISHER_READ)],
    ) -> wire.Publishers:
        """List whose kits the farm believes."""
        found = caller.application.list_publishers()
        return wire.Publishers(publishers=tuple(map(_publisher, found)))

    @router.post("", operation_id="trust_publisher", status_code=HTTPStatus.CREATED)
    def trust(
        message: wire.NewPublisher,
        caller: Annotated[Caller, permitted(Permission.PUBLISHER_CHANGE)],
    ) -> wire.Publisher:
        """Believe kits that this key signed from now on."""
        key = read_public_key(message.public_key)
        return _publisher(caller.application.trust_publisher(publisher_name(message.name), key))

    @router.delete("/{name}", operation_id="distrust_publisher")
    def distrust(
        name: str, caller: Annotated[Caller, permitted(Permission.PUBLISHER_CHANGE)]
    ) -> wire.Publisher:
        """Believe their kits no more; refused while there are any in the library."""
        return _publisher(caller.application.distrust_publisher(publisher_name(name)))

    return router


def item(of: ItemView) -> wire.LibraryItem:
    """Show one thing."""
    known, kit = of.item, of.item.kit
    return wire.LibraryItem(
        id=known.id,
        name=known.name,
        kind=known.kind.value,
        state=known.state.value,
        path=str(known.path),
        size_bytes=known.size_bytes,
        begun_at=known.begun_at,
        available_at=known.available_at,
        by=known.by,
        problem=known.problem,
        component=None if kit is None else kit.manifest.component.value,
        release=None if kit is None else str(kit.manifest.release),
        publisher=None if of.publisher is None else of.publisher.name,
        fingerprint=known.publisher,
        version=None if known.version is None else str(known.version),
        root=None if known.root is None else known.root.hex,
        replicas=tuple(
            wire.LibraryReplica(
                server=server,
                state=one.state.value,
                done_bytes=one.done_bytes,
                total_bytes=one.total_bytes,
            )
            for server, one in of.replicas
        ),
    )


def details(of: ItemView) -> wire.LibraryItemDetails:
    """Show one thing with what was signed."""
    kit = of.item.kit
    said = {} if kit is None else json.loads(kit.text)
    return wire.LibraryItemDetails.model_validate(
        {
            "item": item(of),
            "manifest": said.get("release"),
            "files": ()
            if kit is None
            else tuple(
                wire.LibraryFile(
                    name=one.name,
                    size_bytes=one.size_bytes,
                    sha256=one.sha256,
                    executable=one.is_executable,
                )
                for one in kit.files
            ),
        }
    )


def _folder(of: Folder) -> wire.LibraryFolder:
    return wire.LibraryFolder(
        folder=str(of.folder),
        kind=of.kind.value,
        files=tuple(
            wire.OfferedFile(
                name=one.path.name,
                path=str(one.path),
                size_bytes=one.size_bytes,
                changed_at=one.changed_at,
                item=one.name,
                offered=one.is_offered,
                code=one.code,
                why_not=one.why_not,
            )
            for one in of.files
        ),
        revision=of.rules.revision,
    )


def _publisher(of: Publisher) -> wire.Publisher:
    return wire.Publisher(
        id=of.id,
        name=of.name,
        public_key=written_public_key(of.public_key),
        fingerprint=of.fingerprint,
        added_at=of.added_at,
    )
