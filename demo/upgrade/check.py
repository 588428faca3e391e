"""`corral upgrade check`, and doing what it says until nothing is in the way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from demo.errors import PromiseBrokenError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from demo.upgrade.desk import Desk

_ROUNDS: Final = 4


@dataclass(frozen=True)
class Imported:
    """The kit that the farm is upgraded by."""

    file: Path
    version: str
    """What the library calls its content."""


def clear_the_way(
    desk: Desk, kit: str, imported: Imported, folder: Path, say: Callable[[str], None]
) -> int:
    """Do what the check says; give how many things were in the way.

    Whatever is in the way for which nothing is done here fails the demonstration.
    """
    ended = 0
    for _ in range(_ROUNDS):
        found = in_the_way(desk, kit)
        if not found:
            return ended
        for one in found:
            say(f"in the way: {one['code']} ({one['object']}): {one['message']}")
        unknown = [one for one in found if one["code"] not in _WAYS]
        if unknown:
            message = f"nothing here ends {unknown[0]['code']} of {unknown[0]['object']}"
            raise PromiseBrokenError(message)
        for one in found:
            _WAYS[one["code"]](desk, one, imported, folder)
        ended += len(found)
    message = f"still in the way: {in_the_way(desk, kit)}"
    raise PromiseBrokenError(message)


def in_the_way(desk: Desk, kit: str) -> Sequence[Mapping[str, Any]]:
    """Ask what is in the way."""
    answer = desk.ask("upgrade", "check", kit, what="asking what is in the way", finds=True)
    found: Sequence[Mapping[str, Any]] = answer["hindrances"]
    return found


def _stage(desk: Desk, found: Mapping[str, Any], kit: Imported, _folder: Path) -> None:
    server = str(found["object"]).removeprefix("server ")
    desk.ask(
        *("image", "replicate", kit.version, "--to", server, "--wait"),
        what=f"{server} fetches the kit",
    )


def _back_up(desk: Desk, _found: Mapping[str, Any], kit: Imported, folder: Path) -> None:
    key, place = folder / "backup.key", folder / "backups"
    if not key.exists():
        made = desk.ask("backup", "key", str(key), what="making the backups' key")
        desk.ask(
            *("backup", "set", "--to", str(place), "--recipient", str(made["recipient"])),
            what="saying where backups go",
        )
    desk.ask("backup", "create", what="backing the farm up")
    desk.ask(
        *("backup", "verify", "--key", str(key), "--by", str(kit.file)),
        what="restoring the backup, and having the new release read it",
    )


_WAYS: Final[Mapping[str, Callable[[Desk, Mapping[str, Any], Imported, Path], None]]] = {
    "kit-not-staged": _stage,
    "backup-lacking": _back_up,
    "backup-unread": _back_up,
}
