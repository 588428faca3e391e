"""Whether the farm observes: it was restored, and nobody has accepted what differs.

What a restored farm knows is old. Until a person has seen what the others know, it takes nothing
away from anybody and orders nobody to be what it remembers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from corral.farm.domain.backup.errors import FarmObservesError

if TYPE_CHECKING:
    from corral.farm.application.ports.records import Records
    from corral.farm.domain.estate.server import ServerId

STILL_CHANGED: Final = frozenset(
    {
        "farm",
        "accounts",
        "groups",
        "role_grants",
        "access_tokens",
        "tasks",
        "task_rules",
        "schedules",
        "backups",
        "backup_rules",
        # Where devices write that start meanwhile.
        "overlays",
        # Their steps stand still by a rule of their own.
        "upgrades",
        "acceptances",
    }
)
"""Nouns by which nothing is pushed to anybody."""

_ALSO: Final = frozenset({("servers", "change")})
"""Where a server is now, on another machine perhaps."""


def observes(records: Records) -> bool:
    """Say whether the farm observes."""
    restoration = records.restorations.find()
    return restoration is not None and restoration.accepted_at is None


def observes_server(records: Records, server_id: ServerId) -> bool:
    """Say whether it is not known yet that the records have all that a server holds."""
    restoration = records.restorations.find()
    if restoration is None:
        return False
    if restoration.accepted_at is None:
        return True
    heard = records.observations.find(server_id)
    return heard is None or heard.settled_at is None


def refuse_change(records: Records, noun: str, method: str) -> None:
    """Raise ``FarmObservesError`` if what is changed would be pushed, and the farm observes."""
    if noun in STILL_CHANGED or (noun, method) in _ALSO:
        return
    refuse_to_change(records)


def refuse_to_change(records: Records) -> None:
    """Raise ``FarmObservesError`` if the farm observes.

    For what a person does to nouns that may change meanwhile: servers know better what is there.
    """
    if observes(records):
        raise FarmObservesError
