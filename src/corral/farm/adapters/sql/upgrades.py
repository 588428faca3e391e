"""Upgrades in SQL."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Integer,
    String,
    Table,
    Text,
    Uuid,
    insert,
    select,
)
from sqlalchemy import delete as delete_from

from corral.farm.adapters.sql.edits import named_once, replaced
from corral.farm.adapters.sql.tables import Instant, Name, metadata
from corral.farm.domain.estate.releases import OrderedKit, OrderedSwitch, ReleaseOrder
from corral.farm.domain.estate.server import ServerId, ServerName
from corral.farm.domain.image.root import RootHash
from corral.farm.domain.library.item import ItemName
from corral.farm.domain.library.release import Release
from corral.farm.domain.upgrade.acceptance import Acceptance, AcceptanceId
from corral.farm.domain.upgrade.blueprint import Blueprint, Step, StepKind, UpgradeNumber
from corral.farm.domain.upgrade.errors import (
    AcceptanceUnknownError,
    BlueprintSupersededError,
    UpgradeChangedError,
    UpgradeUnderWayError,
    UpgradeUnknownError,
)
from corral.farm.domain.upgrade.inventory import Canary, SeenConsole
from corral.farm.domain.upgrade.state import OVER, UpgradeState
from corral.farm.domain.upgrade.upgrade import Upgrade, UpgradeId

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection

    from corral.farm.adapters.sql.rows import AnyRow, Values

_RELEASE = String(64)

farm_upgrade = Table(
    "farm_upgrade",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("number", Integer, nullable=False, unique=True),
    Column("kit", Name, nullable=False),
    Column("old", _RELEASE, nullable=False),
    Column("new", _RELEASE, nullable=False),
    Column("state", String(32), nullable=False),
    Column("started_at", Instant, nullable=False),
    Column("started_by", String(255), nullable=False),
    Column("changed_at", Instant, nullable=False),
    Column("soak_seconds", Integer, nullable=False),
    Column("first", JSON, nullable=False),
    Column("why", Text, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("forgiven", BigInteger, nullable=False),
    Column("runs_since", Instant),
    Column("schema_problem", Text, nullable=False),
    Column("schema_problem_of", BigInteger, nullable=False),
    Column("revision", Integer, nullable=False),
)

blueprint = Table(
    "blueprint",
    metadata,
    # What is adopted is adopted by being the first with its generation.
    Column("generation", BigInteger, primary_key=True, autoincrement=False),
    Column("upgrade", Integer, ForeignKey("farm_upgrade.number"), nullable=False, index=True),
    Column("epoch", BigInteger, nullable=False),
    Column("parent", BigInteger, nullable=False),
    Column("kind", String(16), nullable=False),
    # No foreign key: a server that is removed stays in the history.
    Column("server_id", Uuid),
    Column("release", _RELEASE),
    Column("expects", _RELEASE),
    Column("adopted_at", Instant, nullable=False),
    Column("farm_generation", BigInteger, nullable=False),
    Column("by", String(255), nullable=False),
    Column("evidence", Text, nullable=False),
)

release_order = Table(
    "release_order",
    metadata,
    Column("server_id", Uuid, ForeignKey("server.id", ondelete="CASCADE"), primary_key=True),
    Column("number", BigInteger, nullable=False),
    Column("kit", Text),
    Column("kit_release", _RELEASE),
    Column("kit_root", String(64)),
    Column("kit_bytes", BigInteger),
    Column("run", _RELEASE),
    Column("expects", _RELEASE),
    Column("rest", Boolean(create_constraint=False), nullable=False),
)

canary = Table(
    "canary",
    metadata,
    Column("server_id", Uuid, ForeignKey("server.id", ondelete="CASCADE"), primary_key=True),
    Column("release", _RELEASE, nullable=False),
    Column("blueprint", BigInteger, nullable=False),
    Column("at", Instant, nullable=False),
    Column("problem", Text, nullable=False),
)

risk_acceptance = Table(
    "risk_acceptance",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("risk", String(255), nullable=False),
    Column("by", String(255), nullable=False),
    Column("until", Instant, nullable=False),
    Column("because", Text, nullable=False),
    Column("accepted_at", Instant, nullable=False),
)


class SqlUpgrades:
    """A row for each."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, upgrade: Upgrade) -> None:
        """Add one."""
        others = self._select(farm_upgrade.c.number == upgrade.number)
        other = others[0] if others else upgrade
        taken = UpgradeUnderWayError(other.number, other.state, str(other.new))
        with named_once(self._connection, taken):
            self._connection.execute(insert(farm_upgrade).values(_upgrade_values(upgrade)))

    def change(self, seen: Upgrade, after: Upgrade) -> Upgrade:
        """Change the row if its revision is still the one that was seen."""
        changed = replace(after, id=seen.id, revision=seen.revision + 1)
        values = _upgrade_values(changed)
        if not replaced(self._connection, farm_upgrade, seen.id, seen.revision, values):
            raise UpgradeChangedError(seen.number)
        return changed

    def find_open(self) -> Upgrade | None:
        """Give the one that is not over."""
        found = self._select(farm_upgrade.c.state.not_in(sorted(OVER)))
        return found[0] if found else None

    def with_id(self, upgrade_id: UpgradeId) -> Upgrade:
        """Give the one with that id."""
        found = self._select(farm_upgrade.c.id == upgrade_id)
        if not found:
            raise UpgradeUnknownError(str(upgrade_id))
        return found[0]

    def all(self) -> Sequence[Upgrade]:
        """Give all of them."""
        return self._select()

    def _select(self, *wanted: ColumnElement[bool]) -> list[Upgrade]:
        asked = select(farm_upgrade).where(*wanted).order_by(farm_upgrade.c.number)
        return [_upgrade_from(row) for row in self._connection.execute(asked)]


class SqlBlueprints:
    """A row for each."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, of: Blueprint) -> None:
        """Add one, if it is the first of its generation."""
        with named_once(self._connection, BlueprintSupersededError(of.generation)):
            self._connection.execute(
                insert(blueprint).values(
                    generation=of.generation,
                    upgrade=of.upgrade,
                    epoch=of.epoch,
                    parent=of.parent,
                    kind=of.step.kind.value,
                    server_id=of.step.server,
                    release=_text(of.step.release),
                    expects=_text(of.step.expects),
                    adopted_at=of.adopted_at,
                    farm_generation=of.farm_generation,
                    by=of.by,
                    evidence=of.evidence,
                )
            )

    def of_upgrade(self, number: UpgradeNumber) -> Sequence[Blueprint]:
        """Give those of an upgrade."""
        asked = select(blueprint).where(blueprint.c.upgrade == number)
        rows = self._connection.execute(asked.order_by(blueprint.c.generation))
        return [_blueprint_from(row) for row in rows]

    def newest(self) -> Blueprint | None:
        """Give the last one."""
        asked = select(blueprint).order_by(blueprint.c.generation.desc()).limit(1)
        row = self._connection.execute(asked).one_or_none()
        return None if row is None else _blueprint_from(row)


class SqlReleaseOrders:
    """A row for each server that was ever ordered something."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def put(self, server: ServerId, order: ReleaseOrder) -> None:
        """Replace the row."""
        kit, run = order.install, order.run
        self._connection.execute(
            delete_from(release_order).where(release_order.c.server_id == server)
        )
        self._connection.execute(
            insert(release_order).values(
                server_id=server,
                number=order.number,
                kit=None if kit is None else kit.name,
                kit_release=None if kit is None else kit.release,
                kit_root=None if kit is None else kit.root.hex,
                kit_bytes=None if kit is None else kit.size_bytes,
                run=None if run is None else run.release,
                expects=None if run is None else run.expects,
                rest=order.rest,
            )
        )

    def find(self, server: ServerId) -> ReleaseOrder | None:
        """Give the row."""
        asked = select(release_order).where(release_order.c.server_id == server)
        row = self._connection.execute(asked).one_or_none()
        return None if row is None else _order_from(row)


class SqlCanaries:
    """A row for each server."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def put(self, of: Canary) -> None:
        """Replace the row."""
        self._connection.execute(delete_from(canary).where(canary.c.server_id == of.server))
        self._connection.execute(
            insert(canary).values(
                server_id=of.server,
                release=str(of.release),
                blueprint=of.blueprint,
                at=of.at,
                problem=of.problem,
            )
        )

    def all(self) -> Sequence[Canary]:
        """Give all."""
        return [
            Canary(
                server=ServerId(row.server_id),
                release=Release.parse(row.release),
                blueprint=row.blueprint,
                at=row.at,
                problem=row.problem,
            )
            for row in self._connection.execute(select(canary).order_by(canary.c.server_id))
        ]


console = Table(
    "console",
    metadata,
    Column("who", String(511), primary_key=True),
    Column("release", _RELEASE, nullable=False),
    Column("seen_at", Instant, nullable=False),
)


class SqlConsoles:
    """A row for each."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def put(self, seen: SeenConsole) -> None:
        """Remember it instead of what was known of the same one."""
        self._connection.execute(delete_from(console).where(console.c.who == seen.who))
        self._connection.execute(
            insert(console).values(
                who=seen.who, release=str(seen.release or ""), seen_at=seen.seen_at
            )
        )

    def find(self, who: str) -> SeenConsole | None:
        """Give one."""
        asked = select(console).where(console.c.who == who)
        row = self._connection.execute(asked).one_or_none()
        return None if row is None else _console(row)

    def all(self) -> Sequence[SeenConsole]:
        """Give all, by name."""
        asked = select(console).order_by(console.c.who)
        return [_console(row) for row in self._connection.execute(asked)]

    def forget(self, before: datetime) -> None:
        """Forget those that were seen before."""
        self._connection.execute(delete_from(console).where(console.c.seen_at < before))


def _console(row: AnyRow) -> SeenConsole:
    return SeenConsole(row.who, Release.parse(row.release) if row.release else None, row.seen_at)


class SqlAcceptances:
    """A row for each."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, acceptance: Acceptance) -> None:
        """Add one."""
        self._connection.execute(insert(risk_acceptance).values(vars(acceptance)))

    def all(self) -> Sequence[Acceptance]:
        """Give all."""
        return self._select()

    def with_id(self, acceptance_id: AcceptanceId) -> Acceptance:
        """Give the one with that id."""
        found = self._select(risk_acceptance.c.id == acceptance_id)
        if not found:
            raise AcceptanceUnknownError(str(acceptance_id))
        return found[0]

    def remove(self, acceptance_id: AcceptanceId) -> None:
        """Delete the row."""
        self._connection.execute(
            delete_from(risk_acceptance).where(risk_acceptance.c.id == acceptance_id)
        )

    def _select(self, *wanted: ColumnElement[bool]) -> list[Acceptance]:
        asked = select(risk_acceptance).where(*wanted)
        ordered = asked.order_by(risk_acceptance.c.accepted_at, risk_acceptance.c.id)
        return [
            Acceptance(
                id=AcceptanceId(row.id),
                risk=row.risk,
                by=row.by,
                until=row.until,
                because=row.because,
                accepted_at=row.accepted_at,
            )
            for row in self._connection.execute(ordered)
        ]


def _upgrade_values(of: Upgrade) -> Values:
    return {
        "id": of.id,
        "number": of.number,
        "kit": of.kit,
        "old": str(of.old),
        "new": str(of.new),
        "state": of.state.value,
        "started_at": of.started_at,
        "started_by": of.started_by,
        "changed_at": of.changed_at,
        "soak_seconds": int(of.soak.total_seconds()),
        "first": list(of.first),
        "why": of.why,
        "epoch": of.epoch,
        "forgiven": of.forgiven,
        "runs_since": of.runs_since,
        "schema_problem": of.schema_problem,
        "schema_problem_of": of.schema_problem_of,
        "revision": of.revision,
    }


def _upgrade_from(row: AnyRow) -> Upgrade:
    return Upgrade(
        id=UpgradeId(row.id),
        number=UpgradeNumber(row.number),
        kit=ItemName(row.kit),
        old=Release.parse(row.old),
        new=Release.parse(row.new),
        state=UpgradeState(row.state),
        started_at=row.started_at,
        started_by=row.started_by,
        changed_at=row.changed_at,
        soak=timedelta(seconds=row.soak_seconds),
        first=tuple(map(ServerName, row.first)),
        why=row.why,
        epoch=row.epoch,
        forgiven=row.forgiven,
        runs_since=row.runs_since,
        schema_problem=row.schema_problem,
        schema_problem_of=row.schema_problem_of,
        revision=row.revision,
    )


def _blueprint_from(row: AnyRow) -> Blueprint:
    return Blueprint(
        upgrade=UpgradeNumber(row.upgrade),
        parent=row.parent,
        generation=row.generation,
        epoch=row.epoch,
        step=Step(
            kind=StepKind(row.kind),
            server=None if row.server_id is None else ServerId(row.server_id),
            release=_release(row.release),
            expects=_release(row.expects),
        ),
        adopted_at=row.adopted_at,
        farm_generation=row.farm_generation,
        by=row.by,
        evidence=row.evidence,
    )


def _order_from(row: AnyRow) -> ReleaseOrder:
    kit = None
    if row.kit is not None:
        kit = OrderedKit(row.kit_release, RootHash(row.kit_root), row.kit_bytes, row.kit)
    run = None if row.run is None else OrderedSwitch(row.run, row.expects)
    return ReleaseOrder(row.number, install=kit, run=run, rest=row.rest)


def _text(release: Release | None) -> str | None:
    return None if release is None else str(release)


def _release(text: str | None) -> Release | None:
    return None if text is None else Release.parse(text)
