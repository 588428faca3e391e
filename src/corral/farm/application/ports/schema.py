"""The schema of the farm's database, which has to be known before the records can be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from corral.farm.domain.access.audit import Entry
    from corral.farm.domain.upgrade.schema import ReleaseSchema, SchemaStep, SeenSchema

    Choose: TypeAlias = "Callable[[SeenSchema], Change]"


@dataclass(frozen=True)
class Change:
    """What is to be done to a schema, all in one transaction."""

    steps: tuple[SchemaStep, ...] = ()
    oldest_console: str | None = None
    """What the database is to say from now on."""


class DatabaseSchema(Protocol):
    """The farm's database, whether this release can work on it or not."""

    @property
    def own(self) -> ReleaseSchema:
        """The schema as this release knows it."""
        ...

    @property
    def is_embedded(self) -> bool:
        """Whether only this machine's processes can have the database open."""
        ...

    def look(self) -> SeenSchema:
        """Give what the database says of its schema."""
        ...

    def change(self, choose: Choose, note: Callable[[SeenSchema, SeenSchema], Entry]) -> Change:
        """Do what is chosen by what is seen when no writer can come in between.

        All of it is there afterwards or nothing, whoever dies; ``note`` is what the audit log says
        of it. Raises what ``choose`` does, then nothing was done.
        """
        ...
