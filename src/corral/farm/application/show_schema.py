"""Say where the database's schema is, and who works on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from corral.farm.domain.upgrade.schema import Half, SchemaStep, Standing, standing

if TYPE_CHECKING:
    from corral.farm.application.ports.records import Records, Transactions
    from corral.farm.application.ports.schema import DatabaseSchema
    from corral.farm.domain.upgrade.schema import ReleaseSchema, SeenSchema


@dataclass(frozen=True)
class ServerRelease:
    """What a server last said of itself."""

    server: str
    release: str | None
    """None of one that never said."""


@dataclass(frozen=True)
class SchemaView:
    """A schema, as this release sees it."""

    release: str
    own: ReleaseSchema
    seen: SeenSchema
    is_embedded: bool
    servers: tuple[ServerRelease, ...] = ()

    @property
    def standing(self) -> Standing:
        """Where it is."""
        return standing(self.seen, self.own)

    @property
    def is_told(self) -> bool:
        """Whether it is known which steps are still to come."""
        return self.standing not in {Standing.DAMAGED, Standing.TOO_NEW, Standing.NEWER}

    @property
    def pending(self) -> tuple[SchemaStep, ...]:
        """The steps that are still to come."""
        return self.own.pending(self.seen.revision) if self.is_told else ()

    @property
    def of_other_releases(self) -> tuple[ServerRelease, ...]:
        """Servers that run another release than this one, or never said which."""
        return tuple(one for one in self.servers if one.release != self.release)

    def half(self, half: Half) -> tuple[SchemaStep, ...]:
        """Give the steps of one half that are still to come."""
        return tuple(step for step in self.pending if step.half is half)


class ShowSchema:
    """Looks; the servers are known only where this release can read the records."""

    def __init__(self, schema: DatabaseSchema, transactions: Transactions, release: str) -> None:
        self._schema = schema
        self._transactions = transactions
        self._release = release

    def __call__(self) -> SchemaView:
        """Give what there is."""
        seen, own = self._schema.look(), self._schema.own
        servers: tuple[ServerRelease, ...] = ()
        if standing(seen, own) in {Standing.SERVES, Standing.NEWER}:
            with self._transactions.reading() as records:
                servers = server_releases(records)
        return SchemaView(self._release, own, seen, self._schema.is_embedded, servers)


def server_releases(records: Records) -> tuple[ServerRelease, ...]:
    """Give what each server last said that it runs."""
    said = ((one.name, one.last_report) for one in records.servers.all())
    return tuple(
        ServerRelease(name, None if report is None else report.release or None)
        for name, report in said
    )
