"""Names that the shell completes, out of the farm itself.

Completion never fails and never prints: without a farm there is just nothing to offer.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from corral.farm.entrypoints.cli.opening import opened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from corral.farm.application.verbs import Application


def images(context: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Offer images with the number of their versions."""
    return _offered(context, incomplete, _images)


def versions(context: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Offer versions with their descriptions."""
    return _offered(context, incomplete, _versions)


def servers(context: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Offer servers with their states."""
    return _offered(context, incomplete, _servers)


def devices(context: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Offer devices with their images."""
    return _offered(context, incomplete, _devices)


def sites(context: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Offer sites with their descriptions."""
    return _offered(context, incomplete, _sites)


def collections(context: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Offer collections with their sites."""
    return _offered(context, incomplete, _collections)


def stores(context: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Offer stores with their descriptions."""
    return _offered(context, incomplete, _stores)


def library(context: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Offer what is in the library with its state."""
    return _offered(context, incomplete, _library)


def rollouts(context: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Offer rollouts with their states."""
    return _offered(context, incomplete, _rollouts)


def _rollouts(application: "Application") -> "Iterator[tuple[str, str]]":
    for view in application.list_rollouts():
        yield view.rollout.name, f"{view.rollout.offering.name}, {view.rollout.state}"


def _library(application: "Application") -> "Iterator[tuple[str, str]]":
    for view in application.list_library():
        yield view.item.name, view.item.state


def _sites(application: "Application") -> "Iterator[tuple[str, str]]":
    for view in application.list_sites():
        yield view.site.name, view.site.description or f"{view.devices} devices"


def _collections(application: "Application") -> "Iterator[tuple[str, str]]":
    for view in application.list_collections():
        yield view.collection.name, view.site.name


def _stores(application: "Application") -> "Iterator[tuple[str, str]]":
    for view in application.list_stores():
        yield view.store.name, view.store.description or f"{len(view.servers)} servers"


def accounts(context: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Offer accounts with what they are for."""
    return _offered(context, incomplete, _accounts)


def groups(context: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Offer groups with what they are for."""
    return _offered(context, incomplete, _groups)


def users(context: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Offer users with how they are called."""
    return _offered(context, incomplete, _users)


def user_groups(context: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Offer user groups with what they are for."""
    return _offered(context, incomplete, _user_groups)


def computers(context: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Offer computers with their states."""
    return _offered(context, incomplete, _computers)


def _users(application: "Application") -> "Iterator[tuple[str, str]]":
    for view in application.list_users():
        yield view.user.name, view.user.full_name


def _user_groups(application: "Application") -> "Iterator[tuple[str, str]]":
    for view in application.list_user_groups():
        yield view.group.name, view.group.description


def _computers(application: "Application") -> "Iterator[tuple[str, str]]":
    for view in application.list_computers():
        yield view.computer.name, view.computer.state.value


def _accounts(application: "Application") -> "Iterator[tuple[str, str]]":
    for view in application.list_accounts():
        yield view.account.name, view.account.description


def _groups(application: "Application") -> "Iterator[tuple[str, str]]":
    for view in application.list_groups():
        yield view.group.name, view.group.description


def _images(application: "Application") -> "Iterator[tuple[str, str]]":
    for view in application.list_images():
        yield view.image.name, f"{len(view.versions)} versions"


def _versions(application: "Application") -> "Iterator[tuple[str, str]]":
    for view in application.list_images():
        for one in view.versions:
            yield str(one.version.name), one.version.description or one.version.root.short


def _servers(application: "Application") -> "Iterator[tuple[str, str]]":
    for view in application.list_servers():
        yield view.server.name, view.state.value


def _devices(application: "Application") -> "Iterator[tuple[str, str]]":
    for view in application.list_devices():
        yield view.device.name, view.image or "no image"


def _offered(
    context: typer.Context,
    incomplete: str,
    names: "Callable[[Application], Iterator[tuple[str, str]]]",
) -> list[tuple[str, str]]:
    try:
        # While a shell completes, no callback runs that would have remembered the one in front.
        farm = context.params.get("farm") or context.find_root().params.get("farm_folder")
        application = opened(context, None if farm is None else Path(farm))
        return [offer for offer in names(application) if offer[0].startswith(incomplete)]
    except Exception:  # noqa: BLE001 - whatever is wrong, the command itself will say it
        return []
