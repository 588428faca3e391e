"""Who acts, as the audit log tells it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final


class ActorKind(StrEnum):
    """What kind of somebody acts."""

    ACCOUNT = "account"
    """A person who signed in."""
    TOKEN = "token"  # noqa: S105 - a word, not a secret
    """A program with an API token; its name says whose."""
    FOLDER = "folder"
    """Whoever may write the farm's folder, by the name that the system gives them."""
    READER = "reader"
    """Whoever has the reader key."""
    DEVICE = "device"
    SERVER = "server"
    COMPUTER = "computer"
    FARM = "farm"
    """The farm itself: a schedule came due, a rule took effect."""
    NOBODY = "nobody"
    """Somebody who has proved nothing."""


@dataclass(frozen=True)
class Actor:
    """Who acts, and from where."""

    kind: ActorKind
    name: str
    where: str = ""
    """The address of a caller, the machine of a person at the command line, or nothing."""
    request: str = field(default="", compare=False)
    """The id of the request by which they act, as logs have it; no part of who they are."""

    def __str__(self) -> str:
        return f"{self.kind.value} {self.name}" if self.name else self.kind.value


THE_FARM: Final = Actor(ActorKind.FARM, "")
"""For whatever the farm does by itself."""
