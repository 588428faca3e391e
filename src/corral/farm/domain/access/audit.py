"""The audit log: what was changed, by whom, from where, what it was before and what after."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from corral.farm.domain.access.actor import Actor, ActorKind

    Fact: TypeAlias = "str | int | float | bool | list[Fact] | dict[str, Fact] | None"
    Facts: TypeAlias = Mapping[str, Fact]

SECRET: Final = "(secret)"  # noqa: S105 - what is shown instead of one
"""Stands for a digest, a key or a signature: neither is anybody's business."""

_SECRET_WORDS: Final = ("password", "secret", "digest", "signature", "ticket")
_OBSERVED: Final = frozenset(
    {"last_report", "last_login", "signed_in_at", "generation", "revision"}
)
"""What machines say of themselves all day is no change that somebody made."""


@dataclass(frozen=True)
class Entry:
    """One change."""

    at: datetime
    actor: Actor
    what: str
    """The noun and what happened to it: ``server.change``, ``account.sign-in-refused``."""
    thing: str
    """Its name."""
    before: Facts | None = None
    """Of a change only what differs; none of something new."""
    after: Facts | None = None
    """None of something removed."""


@dataclass(frozen=True)
class NotedEntry:
    """An entry with its number; numbers rise and are never given twice."""

    number: int
    entry: Entry


@dataclass(frozen=True)
class AuditFilter:
    """Which entries are wanted; none of a field means any."""

    since: datetime | None = None
    until: datetime | None = None
    """Not counting that moment."""
    kind: ActorKind | None = None
    name: str | None = None
    """Of the actor."""
    where: str | None = None
    what: str | None = None
    """Exactly, or all of a noun: ``server`` means every ``server.…``."""
    thing: str | None = None

    def takes(self, entry: Entry) -> bool:
        """Whether an entry is wanted."""
        wanted = (
            (self.kind, entry.actor.kind),
            (self.name, entry.actor.name),
            (self.where, entry.actor.where),
            (self.thing, entry.thing),
        )
        return (
            (self.since is None or entry.at >= self.since)
            and (self.until is None or entry.at < self.until)
            and (self.what is None or f"{entry.what}.".startswith(f"{self.what}."))
            and all(want is None or want == found for want, found in wanted)
        )


def facts(value: object) -> dict[str, Fact]:
    """Give what a thing of the domain consists of, without its secrets."""
    return {name: _fact(name, part) for name, part in _parts(value).items()}


def differences(seen: object, after: object) -> tuple[dict[str, Fact], dict[str, Fact]]:
    """Give what differs between two states of a thing, as it was and as it is."""
    old, new = _parts(seen), _parts(after)
    names = [name for name in old if old[name] != new.get(name)]
    return (
        {name: _fact(name, old[name]) for name in names},
        {name: _fact(name, new.get(name)) for name in names},
    )


def label(value: object) -> str:
    """Give the name of a thing, or its id."""
    for name in ("name", "number", "id"):
        found = getattr(value, name, None)
        if found is not None:
            return str(found)
    return type(value).__name__.lower()


def _parts(value: object) -> dict[str, object]:
    if not is_dataclass(value):
        return {"value": value}
    return {f.name: getattr(value, f.name) for f in fields(value) if f.name not in _OBSERVED}


def _fact(name: str, value: object) -> Fact:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, bytes) or any(word in name.lower() for word in _SECRET_WORDS):
        return SECRET
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, int | float | str):
        return value
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(key): _fact(str(key), part) for key, part in value.items()}
    if isinstance(value, tuple | list | set | frozenset):
        parts = [_fact(name, part) for part in value]
        return sorted(parts, key=str) if isinstance(value, set | frozenset) else parts
    # What has a text form of its own (an address, an id, a path) is told by it.
    if is_dataclass(value) and type(value).__str__ is object.__str__:
        return facts(value)
    return str(value)
