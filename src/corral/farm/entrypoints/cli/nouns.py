"""Which modules hold the commands of which noun; each is loaded when its noun is said."""

from __future__ import annotations

from collections.abc import MutableMapping
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Final

from typer.main import get_command

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import typer
    from typer._click import Command

_NOUNS: Final[Mapping[str, Sequence[str]]] = {
    "farm": ("farm", "check", "difference", "balance:of_the_farm"),
    "site": ("site", "balance:of_sites"),
    "server": ("server", "balance:of_servers", "server_change", "server_remove"),
    "store": ("store", "named_store", "scrub"),
    "image": (
        *("image", "affinity:of_images", "version", "image_remove", "image_users"),
        "image_republish",
    ),
    "collection": ("collection", "affinity:of_collections"),
    "device": ("device", "device_change", "device_cache"),
    "computer": ("computer", "computer_admit", "computer_change", "kit_computers:of_computers"),
    "user": ("user",),
    "user-group": ("user_group",),
    "session": ("session",),
    "replica": ("replica",),
    "replication": ("replication",),
    "status": ("status",),
    "account": ("account",),
    "group": ("account_group",),
    "role": ("role",),
    "token": ("token",),
    "audit": ("audit",),
    "backup": ("backup",),
    "library": ("library", "kit_computers"),
    "rollout": ("rollout", "rollout_start"),
    "kit": ("kit",),
    "media": ("media",),
    "task": ("task", "task_limit"),
    "schedule": ("schedule",),
    "upgrade": ("upgrade", "upgrade_move"),
    "schema": ("schema",),
    "serve": ("serve",),
    "supervisor": ("supervisor",),
}
"""The first module says what the noun is, the others add to it: ``commands``, or what is named."""
_PACKAGE: Final = "corral.farm.entrypoints.cli.commands"


class Nouns(MutableMapping[str, "Command"]):
    """The commands of every noun, in the order in which help lists them."""

    def __init__(self) -> None:
        self._own: dict[str, Command] = {}

    def __getitem__(self, noun: str) -> Command:
        return self._own[noun] if noun in self._own else _loaded(noun)

    def __iter__(self) -> Iterator[str]:
        yield from {**_NOUNS, **self._own}

    def __len__(self) -> int:
        return len({**_NOUNS, **self._own})

    def __setitem__(self, noun: str, command: Command) -> None:
        self._own[noun] = command

    def __delitem__(self, noun: str) -> None:
        del self._own[noun]


@cache
def _loaded(noun: str) -> Command:
    """Load what a noun can do; raises ``KeyError`` for one that there is not."""
    first, *further = _NOUNS[noun]
    commands = _commands(first)
    for place in further:
        commands.add_typer(_commands(place))
    command = get_command(commands)
    command.name = noun
    return command


def _commands(place: str) -> typer.Typer:
    module, _, name = place.partition(":")
    commands: typer.Typer = getattr(import_module(f"{_PACKAGE}.{module}"), name or "commands")
    return commands
