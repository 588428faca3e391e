"""Bring the database's schema to what a release needs, or take from it what only older ones do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from corral.farm.application.ports.schema import Change
from corral.farm.application.show_schema import ShowSchema
from corral.farm.domain.access.audit import Entry
from corral.farm.domain.estate.errors import FarmNewerError, FarmUnknownError
from corral.farm.domain.library.release import Release
from corral.farm.domain.upgrade.errors import (
    SchemaBehindError,
    SchemaDamagedError,
    SchemaInUseError,
)
from corral.farm.domain.upgrade.needs import OLDEST_CONSOLE
from corral.farm.domain.upgrade.schema import Standing, standing

if TYPE_CHECKING:
    from corral.farm.application.ports.records import Transactions
    from corral.farm.application.ports.schema import DatabaseSchema
    from corral.farm.application.ports.sources import Clock
    from corral.farm.domain.access.actor import Actor
    from corral.farm.domain.upgrade.schema import SchemaStep, SeenSchema

_WHERE: Final = "the database"


@dataclass(frozen=True)
class ChangedSchema:
    """What was done."""

    steps: tuple[SchemaStep, ...]
    """None if it was done already."""
    seen: SeenSchema
    """What the database says now."""


class ExpandSchema:
    """Adds to the schema what this release needs; the release before goes on working on it.

    Killed or cut off in the middle, it has done nothing. Done twice, or by two at once, it is done
    once.
    """

    def __init__(self, schema: DatabaseSchema, clock: Clock, actor: Actor) -> None:
        self._schema = schema
        self._clock = clock
        self._actor = actor

    def __call__(self) -> ChangedSchema:
        """Expand.

        Raises ``SchemaBehindError`` if an earlier upgrade has to be finalised first,
        ``FarmUnknownError``, ``FarmNewerError``, ``SchemaDamagedError``.
        """
        own = self._schema.own

        def choose(seen: SeenSchema) -> Change:
            where = demand_known(seen, standing(seen, own))
            if where in {Standing.SERVES, Standing.NEWER}:
                return Change()
            revision = str(seen.revision)
            steps = own.to_expand(revision)
            if not steps:
                contract = own.to_contract(revision)[-1].revision
                raise SchemaBehindError.by_contract(revision, own.needs, contract)
            return Change(steps)

        def note(before: SeenSchema, after: SeenSchema) -> Entry:
            return _entry(self._clock, self._actor, "schema.expand", before, after)

        done = self._schema.change(choose, note)
        return ChangedSchema(done.steps, self._schema.look())


class ContractSchema:
    """Takes from the schema what only older releases need, and closes it to them."""

    def __init__(
        self,
        schema: DatabaseSchema,
        transactions: Transactions,
        clock: Clock,
        actor: Actor,
        release: str,
    ) -> None:
        self._schema = schema
        self._show = ShowSchema(schema, transactions, release)
        self._clock = clock
        self._actor = actor
        self._release = release

    def __call__(self, *, is_agreed: bool) -> ChangedSchema:
        """Contract; ``is_agreed`` says that whoever asks has seen to it that nobody needs it.

        Raises ``SchemaInUseError`` if it is not, ``SchemaBehindError`` of a schema that is to be
        expanded first, ``FarmUnknownError``, ``FarmNewerError``, ``SchemaDamagedError``.
        """
        own = self._schema.own

        def choose(seen: SeenSchema) -> Change:
            where = demand_known(seen, standing(seen, own))
            if where is Standing.BEHIND:
                raise SchemaBehindError.at(str(seen.revision), own.needs)
            steps = own.to_contract(str(seen.revision))
            change = Change(steps, _higher(seen.oldest_console))
            if change != Change() and not is_agreed:
                others = self._show().of_other_releases
                names = [f"{one.server} ({one.release or 'never seen'})" for one in others]
                raise SchemaInUseError(self._release, names)
            return change

        def note(before: SeenSchema, after: SeenSchema) -> Entry:
            return _entry(self._clock, self._actor, "schema.contract", before, after)

        done = self._schema.change(choose, note)
        return ChangedSchema(done.steps, self._schema.look())


def demand_known(seen: SeenSchema, where: Standing) -> Standing:
    """Refuse a database that this release must leave as it is."""
    match where:
        case Standing.EMPTY:
            raise FarmUnknownError(_WHERE)
        case Standing.DAMAGED:
            raise SchemaDamagedError(seen.damage or f"it says revision {seen.revision!r}")
        case Standing.TOO_NEW:
            raise FarmNewerError(str(seen.revision))
        case _:
            return where


def _higher(said: str | None) -> str | None:
    """Give what this release says of command lines, if the database does not say as much."""
    if OLDEST_CONSOLE is None:
        return None
    if said is not None and Release.parse(OLDEST_CONSOLE) <= Release.parse(said):
        return None
    return OLDEST_CONSOLE


def _entry(clock: Clock, actor: Actor, what: str, before: SeenSchema, after: SeenSchema) -> Entry:
    return Entry(clock.now(), actor, what, _WHERE, _facts(before), _facts(after))


def _facts(seen: SeenSchema) -> dict[str, str | None]:
    return {
        "step": seen.revision,
        "readable_from": seen.readable_from,
        "oldest_console": seen.oldest_console,
    }
