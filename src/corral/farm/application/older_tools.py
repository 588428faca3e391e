"""Which images carry older guest tools than the release in force, and where newer ones are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corral.farm.application.compatibility import Facts, release_or_none
from corral.farm.domain.image.republishing import OlderTools
from corral.farm.domain.image.republishing_errors import (
    GuestToolsMissingError,
    RepublishNeedlessError,
)
from corral.farm.domain.image.version import newest_published
from corral.farm.domain.image.write_cache import ImageMode
from corral.farm.domain.library.item import ItemState
from corral.farm.domain.library.manifest import FarmManifest
from corral.farm.domain.library.release import Release

if TYPE_CHECKING:
    from corral.farm.application.ports.records import Records
    from corral.farm.domain.estate.server import Server
    from corral.farm.domain.image.image import Image
    from corral.farm.domain.image.version import Version
    from corral.farm.domain.library.item import Item


def release_in_force(records: Records, running: str) -> Release:
    """Give the farm's release; until an upgrade is finalised, the one that can be gone back to."""
    upgrade = records.upgrades.find_open()
    return Release.parse(running) if upgrade is None else upgrade.old


def tools_in_force(records: Records, running: str) -> Release | None:
    """Give the guest tools that the release in force puts into images; none if nothing says so."""
    release = release_in_force(records, running)
    for manifest in Facts(records).manifests:
        if manifest.release == release and isinstance(manifest.facts, FarmManifest):
            return manifest.facts.guest_tools
    return None


def newest_with_tools(records: Records, image: Image) -> tuple[Version, Release] | None:
    """Give an image's newest version, if what is in it is known and could be replaced.

    A custom image could not: its device keeps its own disk, whatever is published (S37, S38).
    """
    newest = newest_published(records.versions.of_image(image.id))
    tools = None if newest is None else release_or_none(newest.guest_tools)
    if newest is None or tools is None or image.mode is not ImageMode.SHARED:
        return None
    return newest, tools


def older_tools(records: Records, image: Image, in_force: Release | None) -> OlderTools | None:
    """Say why an image is marked "republish needed"; None if it is not."""
    known = newest_with_tools(records, image)
    if in_force is None or known is None or known[1] >= in_force:
        return None
    return OlderTools(known[0].name, known[1], in_force)


def demand_older(records: Records, image: Image, running: str) -> OlderTools:
    """Say the same; raises ``RepublishNeedlessError`` with the reason if it is not marked."""
    in_force = tools_in_force(records, running)
    found = older_tools(records, image, in_force)
    if found is not None:
        return found
    if in_force is None:
        release = release_in_force(records, running)
        why = f"no kit of farm {release} in the library says which guest tools it puts into images"
    elif image.mode is not ImageMode.SHARED:
        why = f"it is {image.mode}, and its device keeps its own disk, whatever is published"
    elif (known := newest_with_tools(records, image)) is not None:
        why = f"{known[0].name} has guest tools {known[1]}, and {in_force} are in force"
    else:
        why = "nobody said which guest tools are in its newest version"
    raise RepublishNeedlessError(image.name, why)


def kit_with_tools(records: Records, release: Release, near: Server | None = None) -> Item:
    """Give a kit that has the medium of those guest tools; raises ``GuestToolsMissingError``.

    Of several, one that a server has on its own disk, where one is named.
    """
    found = [
        item
        for item in records.library_items.all()
        if item.state is ItemState.AVAILABLE
        and item.kit is not None
        and item.kit.tools_medium(release) is not None
    ]
    if not found:
        raise GuestToolsMissingError(str(release))
    if near is None:
        return found[0]
    held = {one.root for one in records.replicas.of_server(near.id) if one.is_complete}
    return min(found, key=lambda item: item.root not in held)
